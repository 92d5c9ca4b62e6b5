"""The map: Grad-CAM as numbers rather than colours, a Parametric Map (PS3.3 Section A.75)."""

from collections.abc import Iterator

import numpy as np
from highdicom.pm import RealWorldValueMapping
from pydicom.dataset import Dataset
from pydicom.uid import ParametricMapStorage

from pacs_ai.domain import ResultKind, StudyPrediction
from pacs_ai.results.common.codes import CLASS_ACTIVATION, MAP_DERIVATION, NO_UNITS, class_title
from pacs_ai.results.common.context import ResultContext
from pacs_ai.results.common.evidence import Evidence
from pacs_ai.results.common.object_header import ObjectHeader, new_object
from pacs_ai.results.content.hotspot import enlarge
from pacs_ai.results.content.positive_images import explained_images
from pacs_ai.results.content.wording import described
from pacs_ai.results.images.multiframe import Stack, describe_frames, place_frames, stacks

SERIES_DESCRIPTION = "AI Grad-CAM (research)"
ROLE = "map"

_TYPE = ["DERIVED", "PRIMARY", "VOLUME", "QUANTITY"]
_SCALE = "Gradient-weighted class activation, negative set to 0, divided by its maximum"


def build_map(
    prediction: StudyPrediction, evidence: Evidence, context: ResultContext
) -> Iterator[Dataset]:
    """Make the maps of a study, one for each class and geometry.

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
        Of the classes that are present, or of the one that came nearest; none where no heat map
        points anywhere.
    """
    number = 0
    for one in explained_images(prediction):
        for stack in stacks(one.images, evidence):
            number += 1
            yield _map(prediction, one.class_index, stack, evidence, context, number)


def _map(
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
        sop_class_uid=ParametricMapStorage,
        modality="OT",
        role=ROLE,
        series_number=context.series_number(ResultKind.MAP),
        series_description=SERIES_DESCRIPTION,
        instance_number=number,
        instance_key=(*stack.key(), spec.code.value, *evidence.unseen),
    )
    made = new_object(header, evidence.reference, model, context)
    describe_frames(made, stack, evidence, MAP_DERIVATION)
    place_frames(made, stack)
    made.ImageType = _TYPE
    made.SamplesPerPixel = 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.PresentationLUTShape = "IDENTITY"
    made.PixelPresentation = "MONOCHROME"
    made.RecognizableVisualFeatures = "NO"
    made.BitsAllocated = 32
    made.ContentLabel = "GRADCAM"
    made.ContentDescription = described(f"Grad-CAM of {class_title(spec)}", prediction.coverage)
    made.ContentCreatorName = None
    made.AcquisitionContextSequence = []
    _say_what_values_mean(made.SharedFunctionalGroupsSequence[0])
    rows, columns = stack.size
    pixels = [enlarge(image.saliency[class_index], rows, columns) for image in stack.images]
    made.FloatPixelData = np.stack(pixels).astype("<f4").tobytes()
    return made


def _say_what_values_mean(shared: Dataset) -> None:
    frame_type, stored, window = Dataset(), Dataset(), Dataset()
    frame_type.FrameType = _TYPE
    stored.RescaleIntercept, stored.RescaleSlope, stored.RescaleType = 0, 1, "US"
    window.WindowCenter, window.WindowWidth = 0.5, 1
    window.VOILUTFunction = "LINEAR_EXACT"  # LINEAR of this width is a step (C.11.2.1.2)
    shared.ParametricMapFrameTypeSequence = [frame_type]
    shared.PixelValueTransformationSequence = [stored]
    shared.FrameVOILUTSequence = [window]
    shared.RealWorldValueMappingSequence = [
        RealWorldValueMapping(
            "GRADCAM",
            _SCALE[:64],
            NO_UNITS,
            (0.0, 1.0),
            slope=1.0,
            intercept=0.0,
            quantity_definition=CLASS_ACTIVATION,
        )
    ]
