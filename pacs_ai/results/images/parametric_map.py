"""The map: Grad-CAM as numbers, a Parametric Map (PS3.3 Section A.75)."""

from collections.abc import Iterator
from dataclasses import replace

from highdicom.pm import RealWorldValueMapping
from pydicom.dataset import Dataset
from pydicom.uid import ParametricMapStorage

from pacs_ai.domain import ResultKind
from pacs_ai.results.common.codes import CLASS_ACTIVATION, MAP_DERIVATION, NO_UNITS
from pacs_ai.results.content.hotspot import enlarge
from pacs_ai.results.content.study import AnalysedStudy
from pacs_ai.results.content.wording import described
from pacs_ai.results.images.class_stacks import ClassStack, class_stacks, new_stack_object
from pacs_ai.results.images.multiframe import (
    SourceFrame,
    describe_frames,
    place_frames,
    whole_series,
)

SERIES_DESCRIPTION = "AI Grad-CAM (research)"

MAX_SERIES_PIXELS = 1 << 25
"""Most pixels of a map with a frame for each slice, 128 MiB; else it has those of what it shows."""

_NOT_SHOWN = "The class was not found here: no heat map"
_NOT_ANALYSED = "Not analysed: no heat map"

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
    return (_map(study, _over_the_series(study, shown)) for shown in class_stacks(study))


def _over_the_series(study: AnalysedStudy, shown: ClassStack) -> ClassStack:
    """Give a map of slices a frame for each slice of their series, if these are not too many."""
    prediction = study.prediction
    if not shown.stack.measured:
        return shown
    analysed = {(image.header.sop_instance_uid, image.frame) for image in prediction.images}
    headers = {one.sop_instance_uid: one for one in (*study.evidence.headers, *prediction.others)}
    frames = [
        SourceFrame(header, frame, _NOT_SHOWN if (uid, frame) in analysed else _NOT_ANALYSED)
        for uid, header in headers.items()
        for frame in range(1, header.frames + 1)
        if header.series_instance_uid == shown.stack.sources[0].header.series_instance_uid
    ]
    rows, columns = shown.stack.size
    if len(frames) * rows * columns > MAX_SERIES_PIXELS:
        return shown
    return replace(shown, stack=whole_series(shown.stack, frames, study.evidence))


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
    nothing = bytes(4 * rows * columns)
    # Joined at once: there is no array of all frames beside the bytes.
    made.FloatPixelData = b"".join(
        nothing
        if (heat := shown.saliencies.get(source.key)) is None
        else enlarge(heat, rows, columns).astype("<f4", copy=False).tobytes()
        for source in stack.sources
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
