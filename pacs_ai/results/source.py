"""The images a result is about: their headers, read once, pixels left alone."""

from collections.abc import Sequence
from pathlib import Path

from pydicom.dataset import Dataset

from pacs_ai.dicom.foreign import FOREIGN_ERRORS, quiet
from pacs_ai.dicom.modules import PATIENT_AND_STUDY
from pacs_ai.dicom.reading import read_until_pixels
from pacs_ai.domain import ImagePrediction, InstanceHeader
from pacs_ai.errors import NotDicom

_FACTS = (
    "SpecificCharacterSet",
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "Modality",
    "CodingSchemeIdentificationSequence",
    "TimezoneOffsetFromUTC",
    "BodyPartExamined",
    "Laterality",
    "ImageLaterality",
    "PatientOrientation",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
    "RequestAttributesSequence",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)


def read_source(path: Path) -> Dataset:
    """Read what results take over from an instance: identity, geometry, request, compression.

    Raises
    ------
    NotDicom
        If the file cannot be read any more.
    """
    try:
        with quiet(), path.open("rb") as stream:
            return read_until_pixels(stream, (*PATIENT_AND_STUDY, *_FACTS)).dataset
    except FOREIGN_ERRORS as error:
        raise NotDicom(f"the source of a result cannot be read ({type(error).__name__})") from error


class Evidence:
    """Every analysed instance of a study.

    Parameters
    ----------
    images
        The analysed images in the order of the prediction; several may be frames of one instance.

    Notes
    -----
    All results of a study take patient and study from the first instance, so that they agree with
    each other even where the instances do not.
    """

    def __init__(self, images: Sequence[ImagePrediction]) -> None:
        self._read: dict[str, Dataset] = {}
        self.headers: tuple[InstanceHeader, ...] = tuple(
            {image.header.sop_instance_uid: image.header for image in images}.values()
        )
        self.reference = self.source(self.headers[0])

    def source(self, header: InstanceHeader) -> Dataset:
        """Header elements of one instance."""
        uid = header.sop_instance_uid
        if uid not in self._read:
            self._read[uid] = read_source(header.path)
        return self._read[uid]
