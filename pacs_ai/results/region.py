"""The regions: rectangles around the hot areas of what is present, as a structured report.

A report of its own, because validators take groups with a region (TID 1410) and groups without
(TID 1501) in one report for an error. OHIF turns each rectangle into an editable measurement.
"""

from collections.abc import Iterator

from highdicom.sr import (
    ContentSequence,
    ImageRegion,
    Measurement,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    SourceImageForRegion,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from pacs_ai.domain import ImagePrediction, ResultKind, StudyPrediction
from pacs_ai.results.classgroup import algorithm
from pacs_ai.results.codes import PERCENT, class_title, concept, probability_concept
from pacs_ai.results.context import ResultContext
from pacs_ai.results.document import Frame
from pacs_ai.results.hotspot import Rectangle, hot_spots
from pacs_ai.results.levels import image_name
from pacs_ai.results.marks import reference_of, rounded
from pacs_ai.results.positives import explained
from pacs_ai.results.source import Evidence
from pacs_ai.results.sr import measurement_report
from pacs_ai.results.srdocument import new_document
from pacs_ai.uids import derived_uid

SERIES_DESCRIPTION = "AI regions (research)"
ROLE = "region"


def build_region(
    prediction: StudyPrediction, evidence: Evidence, context: ResultContext
) -> Dataset | None:
    """Make the regions of a study.

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
    Dataset or None
        None where no class is present, or no heat map points anywhere.
    """
    if not prediction.positive_classes():
        return None
    key = context.series_key(prediction.model, ROLE, evidence.study_instance_uid)
    groups = ContentSequence()
    for group in _groups(prediction, key):
        groups.extend(group)
    if not groups:
        return None
    frame = Frame(
        sop_class_uid=Comprehensive3DSRStorage,
        modality="SR",
        role=ROLE,
        series_number=context.series_number(ResultKind.REGION),
        series_description=SERIES_DESCRIPTION,
        instance_number=1,
        instance_key=tuple(sorted(header.sop_instance_uid for header in evidence.headers)),
    )
    root = measurement_report(evidence, context, groups)
    return new_document(frame, evidence, prediction.model, context, root)


def _groups(
    prediction: StudyPrediction, key: tuple[str, ...]
) -> Iterator[PlanarROIMeasurementsAndQualitativeEvaluations]:
    places = {id(image): index for index, image in enumerate(prediction.images)}
    for positive in explained(prediction):
        for image in positive.images:
            header = image.header
            spots = hot_spots(image.saliency[positive.klass], header.rows, header.columns)
            name = image_name(places[id(image)], image)
            for number, spot in enumerate(spots, start=1):
                ending = f", region {number}" if len(spots) > 1 else ""
                tracking = TrackingIdentifier(
                    derived_uid("tracking", *key, *_place(image, positive.klass, number)),
                    f"{_title(prediction, positive.klass)} / {name}{ending}",
                )
                yield _group(prediction, image, positive.klass, tracking, spot)


def _title(prediction: StudyPrediction, klass: int) -> str:
    return class_title(prediction.model.classes[klass])


def _place(image: ImagePrediction, klass: int, number: int) -> tuple[str, ...]:
    return image.header.sop_instance_uid, str(image.frame), str(klass), str(number)


def _group(
    prediction: StudyPrediction,
    image: ImagePrediction,
    klass: int,
    tracking: TrackingIdentifier,
    spot: Rectangle,
) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    spec = prediction.model.classes[klass]
    source = SourceImageForRegion(*reference_of(image))
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking,
        referenced_region=ImageRegion("POLYLINE", spot.outline(), source),
        finding_type=concept(spec.code),
        algorithm_id=algorithm(prediction.model, spec, image.outlier),
        measurements=[
            Measurement(
                probability_concept(spec, study=False),
                rounded(100 * image.probabilities[klass]),
                PERCENT,
            )
        ],
    )
