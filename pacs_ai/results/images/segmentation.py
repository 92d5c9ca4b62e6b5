"""The segmentation: where the heat map of a class that is present is hot (PS3.3 Section A.51).

Made only where a rule asks for it: readers easily take it for the outline of a lesion.
"""

from collections.abc import Iterator

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import SegmentDescription
from pydicom.dataset import Dataset
from pydicom.uid import SegmentationStorage

from pacs_ai.domain import ModelIdentity, ResultKind
from pacs_ai.results.common.codes import (
    ABNORMAL_STRUCTURE,
    ARTIFICIAL_INTELLIGENCE,
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

_AMBER = (80.0, 15.0, 75.0)  # L*, a*, b*


def build_seg(study: AnalysedStudy) -> Iterator[Dataset]:
    """Make the segmentations of a study, one for each class that is present and geometry.

    Returns
    -------
    iterator of Dataset
        None where no class is present, or no heat map points anywhere.
    """
    if not study.prediction.positive_classes():
        return iter(())
    return (_segmentation(study, shown) for shown in class_stacks(study))


def _segmentation(study: AnalysedStudy, shown: ClassStack) -> Dataset:
    made = new_stack_object(
        study,
        shown,
        ResultKind.SEG,
        sop_class_uid=SegmentationStorage,
        modality="SEG",
        description=SERIES_DESCRIPTION,
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
    made.BitsAllocated = made.BitsStored = 1
    made.HighBit = made.PixelRepresentation = 0
    made.SegmentationType = "BINARY"
    made.ContentLabel = "HOTAREA"
    made.ContentDescription = described(
        f"Hot area of the heat map: {shown.title}", study.prediction.coverage
    )
    made.ContentCreatorName = None
    made.SegmentSequence = [_segment(study.prediction.model, shown)]
    identification = Dataset()
    identification.ReferencedSegmentNumber = 1
    made.SharedFunctionalGroupsSequence[0].SegmentIdentificationSequence = [identification]
    rows, columns = stack.size
    masks = np.stack([hot_area(heat, rows, columns) for heat in shown.saliencies.values()])
    packed = np.packbits(masks.ravel(), bitorder="little").tobytes()
    made.PixelData = packed + b"\0" * (len(packed) % 2)
    made["PixelData"].VR = "OB"
    return made


def _segment(model: ModelIdentity, shown: ClassStack) -> SegmentDescription:
    return SegmentDescription(
        1,
        f"{shown.title} (heat map)"[:64],
        ABNORMAL_STRUCTURE,
        concept(shown.spec.code),
        "AUTOMATIC",
        AlgorithmIdentificationSequence(
            model.name, ARTIFICIAL_INTELLIGENCE, model.version, source=model.manufacturer
        ),
        tracking_uid=shown.tracking.uid,
        tracking_id=shown.tracking.identifier,
        display_color=CIELabColor(*_AMBER),
    )
