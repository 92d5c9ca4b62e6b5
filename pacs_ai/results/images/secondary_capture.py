"""What all pictures in Secondary Capture have in common: everything but what they show."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    JPEG2000MC,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
)

from pacs_ai.dicom.reading import text
from pacs_ai.domain import ImagePrediction, InstanceHeader
from pacs_ai.results.common.codes import SOURCE_IMAGE
from pacs_ai.results.common.object_header import (
    ObjectHeader,
    new_object,
    referenced_frame,
    references,
)
from pacs_ai.results.common.patient_study import copied_element
from pacs_ai.results.common.result_set import relate
from pacs_ai.results.content.study import AnalysedStudy

MAX_DERIVATION = 1024
"""Letters of a Derivation Description."""

_LOSSY = frozenset(
    {JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000, JPEG2000MC, HTJ2K}
)


def new_picture(study: AnalysedStudy, header: ObjectHeader) -> Dataset:
    """Make a picture without pixels, sources and derivation.

    Parameters
    ----------
    study
        What the picture is about.
    header
        Class, series and number.

    Notes
    -----
    A picture states no position: with one come the Image Plane Module and its pixel spacing (PS3.3
    Section C.7.6.2), and readers take what is written beside the image for a part of the plane.
    """
    made = new_object(header, study.evidence.reference, study.prediction.model, study.context)
    relate(made, study.results)
    made.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    made.ConversionType = "DI"
    made.BurnedInAnnotation = "YES"
    made.DateOfSecondaryCapture = made.ContentDate
    made.TimeOfSecondaryCapture = made.ContentTime
    return made


def put_pixels(made: Dataset, picture: npt.NDArray[np.uint8]) -> None:
    """State the pixels of a picture, shape (rows, columns, 3), RGB; changed in place."""
    made.Rows, made.Columns = picture.shape[:2]
    made.SamplesPerPixel = 3
    made.PhotometricInterpretation = "RGB"
    made.PlanarConfiguration = 0
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit = 7
    made.PixelRepresentation = 0
    pixels = picture.tobytes()
    made.PixelData = pixels + b"\0" * (len(pixels) % 2)
    made["PixelData"].VR = "OB"


def source_items(images: Sequence[ImagePrediction], *, in_place: bool) -> list[Dataset]:
    """Make the items of Source Image Sequence, one for each instance (PS3.3 Section C.7.6.1.1.4).

    Parameters
    ----------
    images
        What the picture shows, in its order.
    in_place
        Whether what it shows lies at the same rows and columns in proportion as in the source.
    """
    frames: dict[str, list[int]] = {}
    headers: dict[str, InstanceHeader] = {}
    for image in images:
        uid = image.header.sop_instance_uid
        headers.setdefault(uid, image.header)
        frame = referenced_frame(image.header, image.frame)
        named = frames.setdefault(uid, [])
        if frame is not None and frame not in named:
            named.append(frame)
    made = references([(one.sop_class_uid, uid) for uid, one in headers.items()])
    for item, named in zip(made, frames.values(), strict=True):
        if named:
            item.ReferencedFrameNumber = named if len(named) > 1 else named[0]
        item.PurposeOfReferenceCodeSequence = [SOURCE_IMAGE]
        item.SpatialLocationsPreserved = "YES" if in_place else "NO"
    return made


def copy_compression(sources: Sequence[tuple[Dataset, InstanceHeader]], made: Dataset) -> None:
    """Copy the compression history: a picture of a lossy image is lossy, however it is stored.

    Parameters
    ----------
    sources
        The images that are shown; of several the first that was compressed with loss counts.
    made
        The picture; changed in place.
    """
    made.LossyImageCompression = "00"
    for source, header in sources:
        stated = text(source, "LossyImageCompression") == "01"
        if not stated and header.transfer_syntax_uid not in _LOSSY:
            continue
        made.LossyImageCompression = "01"
        if stated:
            for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
                element = copied_element(source, keyword)
                if element is not None:
                    made[element.tag] = element
        return
