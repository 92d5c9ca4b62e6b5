"""The segmentation: where the heat map of a class that is present is hot (PS3.3 Section A.51).

Made only where a rule asks for it: readers easily take it for the outline of a lesion. It has two
forms with the same content: a bit for each pixel, or the number of its segment (Supplement 243).
Each object has one class, since areas of several classes may overlap, and a label map states one
segment for a pixel.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import SegmentDescription
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from pacs_ai.dicom.modules import LABEL_MAP_SEGMENTATION, SEGMENTATION
from pacs_ai.domain import ModelIdentity, ResultKind
from pacs_ai.results.common.codes import (
    ABNORMAL_STRUCTURE,
    ARTIFICIAL_INTELLIGENCE,
    BACKGROUND,
    SEGMENTATION_DERIVATION,
    concept,
)
from pacs_ai.results.content.hotspot import hot_area
from pacs_ai.results.content.study import AnalysedStudy
from pacs_ai.results.content.wording import described
from pacs_ai.results.images.class_stacks import ClassStack, class_stacks, new_stack_object
from pacs_ai.results.images.multiframe import (
    describe_frames,
    lay_out_frames,
    place_frames,
)
from pacs_ai.results.images.plane import flat

SERIES_DESCRIPTION = "AI hot areas (research)"
LABEL_MAP_DESCRIPTION = "AI hot areas, label map (research)"

_AMBER, _BLACK = (80.0, 15.0, 75.0), (0.0, 0.0, 0.0)  # L*, a*, b*
_OUTSIDE = 0  # number of the segment that is no hot area


def build_seg(study: AnalysedStudy) -> Iterator[Dataset]:
    """Make the segmentations of a study, one for each class that is present and geometry.

    Returns
    -------
    iterator of Dataset
        None where no class is present, or no heat map points anywhere.
    """
    for shown in _stacks(study):
        made = _segmentation(study, shown, ResultKind.SEG, SEGMENTATION, SERIES_DESCRIPTION)
        _state_bits(made, _masks(shown))
        yield made


def build_label_map(study: AnalysedStudy) -> Iterator[Dataset]:
    """Make the same segmentations as `build_seg` as label maps.

    Notes
    -----
    Every pixel value has to be described by a segment (PS3.3 Section C.8.20.2.3), so that the
    background is a segment as well, with the number 0.
    """
    kind, sop_class = ResultKind.LABEL_MAP, LABEL_MAP_SEGMENTATION
    for shown in _stacks(study):
        made = _segmentation(study, shown, kind, sop_class, LABEL_MAP_DESCRIPTION)
        _state_labels(made, _masks(shown), _background(study.prediction.model))
        yield made


def _stacks(study: AnalysedStudy) -> Iterator[ClassStack]:
    return class_stacks(study) if study.prediction.positive_classes() else iter(())


def _segmentation(
    study: AnalysedStudy, shown: ClassStack, kind: ResultKind, sop_class: str, description: str
) -> Dataset:
    """Make the object without what depends on the form of its pixels."""
    made = new_stack_object(
        study,
        shown,
        kind,
        sop_class_uid=sop_class,
        modality="SEG",
        description=description,
    )
    stack = shown.stack
    describe_frames(made, stack, study.evidence, SEGMENTATION_DERIVATION)
    if stack.measured:
        place_frames(made, stack)
    else:
        lay_out_frames(made, [flat(plane) for plane in stack.planes])
    made.pop("Laterality", None)  # validators take it for wrong in a segmentation, side or none
    made.ImageType = ["DERIVED", "PRIMARY"]
    made.SamplesPerPixel = 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.PixelRepresentation = 0
    made.ContentLabel = "HOTAREA"
    made.ContentDescription = described(
        f"Hot area of the heat map: {shown.title}", study.prediction.coverage
    )
    made.ContentCreatorName = None
    made.SegmentSequence = [_segment(study.prediction.model, shown)]
    return made


def _masks(shown: ClassStack) -> npt.NDArray[np.bool_]:
    """Return where the frames are hot, of shape (frames, rows, columns)."""
    rows, columns = shown.stack.size
    return np.stack([hot_area(heat, rows, columns) for heat in shown.saliencies.values()])


def _state_bits(made: Dataset, masks: npt.NDArray[np.bool_]) -> None:
    made.SegmentationType = "BINARY"
    made.BitsAllocated = made.BitsStored = 1
    made.HighBit = 0
    _identify_segment(made)
    _put_pixels(made, np.packbits(masks.ravel(), bitorder="little").tobytes())


def _identify_segment(made: Dataset) -> None:
    """Say which segment each frame shows, and make it the first dimension, as readers expect."""
    identification, index = Dataset(), Dataset()
    identification.ReferencedSegmentNumber = 1
    index.DimensionOrganizationUID = made.DimensionIndexSequence[0].DimensionOrganizationUID
    index.DimensionIndexPointer = Tag("ReferencedSegmentNumber")
    index.FunctionalGroupPointer = Tag("SegmentIdentificationSequence")
    made.DimensionIndexSequence.insert(0, index)
    for groups in made.PerFrameFunctionalGroupsSequence:
        groups.SegmentIdentificationSequence = [identification]
        content = groups.FrameContentSequence[0]
        content.DimensionIndexValues = [1, content.DimensionIndexValues]


def _state_labels(made: Dataset, masks: npt.NDArray[np.bool_], background: Dataset) -> None:
    made.SegmentationType = "LABELMAP"
    made.SegmentsOverlap = "NO"
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit = 7
    made.PixelPaddingValue = _OUTSIDE
    made["PixelPaddingValue"].VR = "US"  # as the pixels are unsigned
    made.SegmentSequence.append(background)  # OHIF 3.13 colours segments by their place here
    _put_pixels(made, masks.astype(np.uint8).tobytes())


def _put_pixels(made: Dataset, pixels: bytes) -> None:
    made.PixelData = pixels + b"\0" * (len(pixels) % 2)
    made["PixelData"].VR = "OB"


def _segment(model: ModelIdentity, shown: ClassStack) -> SegmentDescription:
    return SegmentDescription(
        1,
        f"{shown.title} (heat map)"[:64],
        ABNORMAL_STRUCTURE,
        concept(shown.spec.code),
        "AUTOMATIC",
        _algorithm(model),
        tracking_uid=shown.tracking.uid,
        tracking_id=shown.tracking.identifier,
        display_color=CIELabColor(*_AMBER),
    )


def _background(model: ModelIdentity) -> SegmentDescription:
    made = SegmentDescription(
        1,
        "Background",
        BACKGROUND,
        BACKGROUND,
        "AUTOMATIC",
        _algorithm(model),
        display_color=CIELabColor(*_BLACK),  # OHIF warns where a segment has none
    )
    made.SegmentNumber = _OUTSIDE  # the constructor takes no 0
    return made


def _algorithm(model: ModelIdentity) -> AlgorithmIdentificationSequence:
    return AlgorithmIdentificationSequence(
        model.name, ARTIFICIAL_INTELLIGENCE, model.version, source=model.manufacturer
    )
