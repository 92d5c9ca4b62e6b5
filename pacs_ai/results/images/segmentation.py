"""The segmentation: where the heat map of a class that is present is hot (PS3.3 Section A.51).

Off unless a rule asks for it: an outline of a heat map is easily taken for one of a lesion.
"""

from collections.abc import Iterator

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import SegmentDescription
from pydicom.dataset import Dataset
from pydicom.uid import SegmentationStorage

from pacs_ai.domain import ResultKind, StudyPrediction
from pacs_ai.results.common.codes import (
    ABNORMAL_STRUCTURE,
    ARTIFICIAL_INTELLIGENCE,
    SEGMENTATION_DERIVATION,
    class_title,
    concept,
)
from pacs_ai.results.common.context import ResultContext
from pacs_ai.results.common.evidence import Evidence
from pacs_ai.results.common.object_header import ObjectHeader, new_object
from pacs_ai.results.content.hotspot import hot_area
from pacs_ai.results.content.positive_images import explained_images
from pacs_ai.results.content.wording import described
from pacs_ai.results.images.multiframe import (
    Stack,
    describe_frames,
    lay_out_frames,
    place_frames,
    stacks,
)
from pacs_ai.results.images.plane import flat

SERIES_DESCRIPTION = "AI hot areas (research)"
ROLE = "seg"

_AMBER = (80.0, 15.0, 75.0)  # L*, a*, b*


def build_seg(
    prediction: StudyPrediction, evidence: Evidence, context: ResultContext
) -> Iterator[Dataset]:
    """Make the segmentations of a study, one for each class that is present and geometry.

    Parameters
    ----------
    prediction
        What the model says.
    evidence
        Headers of the analysed instances.
    context
        Installation and time.

    Returns
    -------
    iterator of Dataset
        None where no class is present, or no heat map points anywhere.
    """
    if not prediction.positive_classes():
        return
    number = 0
    for one in explained_images(prediction):
        for stack in stacks(one.images, evidence):
            number += 1
            yield _segmentation(prediction, one.class_index, stack, evidence, context, number)


def _segmentation(
    prediction: StudyPrediction,
    class_index: int,
    stack: Stack,
    evidence: Evidence,
    context: ResultContext,
    number: int,
) -> Dataset:
    model = prediction.model
    spec = model.classes[class_index]
    header = ObjectHeader(
        sop_class_uid=SegmentationStorage,
        modality="SEG",
        role=ROLE,
        series_number=context.series_number(ResultKind.SEG),
        series_description=SERIES_DESCRIPTION,
        instance_number=number,
        instance_key=(*stack.key(), spec.code.value, *evidence.unseen),
    )
    made = new_object(header, evidence.reference, model, context)
    describe_frames(made, stack, evidence, SEGMENTATION_DERIVATION)
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
        f"Hot area of the heat map: {class_title(spec)}", prediction.coverage
    )
    made.ContentCreatorName = None
    made.SegmentSequence = [_segment(prediction, class_index)]
    identification = Dataset()
    identification.ReferencedSegmentNumber = 1
    made.SharedFunctionalGroupsSequence[0].SegmentIdentificationSequence = [identification]
    rows, columns = stack.size
    masks = np.stack(
        [hot_area(image.saliency[class_index], rows, columns) for image in stack.images]
    )
    packed = np.packbits(masks.ravel(), bitorder="little").tobytes()
    made.PixelData = packed + b"\0" * (len(packed) % 2)
    made["PixelData"].VR = "OB"
    return made


def _segment(prediction: StudyPrediction, class_index: int) -> SegmentDescription:
    model = prediction.model
    spec = model.classes[class_index]
    return SegmentDescription(
        1,
        f"{class_title(spec)} (heat map)"[:64],
        ABNORMAL_STRUCTURE,
        concept(spec.code),
        "AUTOMATIC",
        AlgorithmIdentificationSequence(
            model.name, ARTIFICIAL_INTELLIGENCE, model.version, source=model.manufacturer
        ),
        display_color=CIELabColor(*_AMBER),
    )
