"""The map: Grad-CAM as numbers, a Parametric Map (PS3.3 Section A.75)."""

from collections.abc import Iterator

from highdicom.pm import RealWorldValueMapping
from pydicom.dataset import Dataset
from pydicom.uid import ParametricMapStorage

from pacs_ai.domain import ResultKind
from pacs_ai.results.common.codes import CLASS_ACTIVATION, MAP_DERIVATION, NO_UNITS
from pacs_ai.results.content.hotspot import enlarge
from pacs_ai.results.content.study import AnalysedStudy
from pacs_ai.results.content.wording import described
from pacs_ai.results.images.class_stacks import ClassStack, class_stacks, new_stack_object
from pacs_ai.results.images.multiframe import describe_frames, place_frames

SERIES_DESCRIPTION = "AI Grad-CAM (research)"

_TYPE = ["DERIVED", "PRIMARY", "VOLUME", "QUANTITY"]
_SCALE = "Gradient-weighted class activation, negative set to 0, divided by its maximum"


def build_map(study: AnalysedStudy) -> Iterator[Dataset]:
    """Make the maps of a study, one for each class and geometry.

    Returns
    -------
    iterator of Dataset
        Of the classes that are present, or of the one that came nearest; none where no heat map
        points anywhere.
    """
    return (_map(study, shown) for shown in class_stacks(study))


def _map(study: AnalysedStudy, shown: ClassStack) -> Dataset:
    made = new_stack_object(
        study,
        shown,
        ResultKind.MAP,
        sop_class_uid=ParametricMapStorage,
        modality="OT",
        description=SERIES_DESCRIPTION,
    )
    stack = shown.stack
    describe_frames(made, stack, study.evidence, MAP_DERIVATION)
    place_frames(made, stack)
    made.ImageType = _TYPE
    made.SamplesPerPixel = 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.PresentationLUTShape = "IDENTITY"
    made.PixelPresentation = "MONOCHROME"
    made.RecognizableVisualFeatures = "NO"
    made.BitsAllocated = 32
    made.ContentLabel = "GRADCAM"
    made.ContentDescription = described(f"Grad-CAM of {shown.title}", study.prediction.coverage)
    made.ContentCreatorName = None
    # No attribute of the IOD names the finding: these two make it a Standard Extended SOP Class.
    made.TrackingID, made.TrackingUID = shown.tracking.identifier, shown.tracking.uid
    made.AcquisitionContextSequence = []
    _say_what_values_mean(made.SharedFunctionalGroupsSequence[0])
    rows, columns = stack.size
    # Joined at once: there is no array of all frames beside the bytes.
    made.FloatPixelData = b"".join(
        enlarge(saliency, rows, columns).astype("<f4", copy=False).tobytes()
        for saliency in shown.saliencies
    )
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
