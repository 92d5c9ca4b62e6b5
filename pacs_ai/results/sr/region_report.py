"""The regions: rectangles around the hot areas of what is present, as a structured report.

A report of its own, because validators take groups with a region (TID 1410) and groups without
(TID 1501) in one report for an error. OHIF turns each rectangle into an editable measurement.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from highdicom.sr import (
    ContentSequence,
    ImageRegion,
    Measurement,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    SourceImageForRegion,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage, SecondaryCaptureImageStorage

from pacs_ai.domain import ImagePrediction, ResultKind, StudyPrediction
from pacs_ai.results.common.codes import PERCENT, class_title, concept, image_probability_concept
from pacs_ai.results.common.object_header import ObjectHeader
from pacs_ai.results.content.hotspot import Rectangle, hot_spots
from pacs_ai.results.content.positive_images import explained_images
from pacs_ai.results.content.report_level import (
    image_name,
    image_tracking_uid,
    tracking_key,
)
from pacs_ai.results.content.study import AnalysedStudy
from pacs_ai.results.content.wording import stated_percent
from pacs_ai.results.sr.class_group import algorithm
from pacs_ai.results.sr.image_measurements import pixel_origin, reference_of
from pacs_ai.results.sr.measurement_report import measurement_report
from pacs_ai.results.sr.sr_document import new_document
from pacs_ai.uids import derived_uid

SERIES_DESCRIPTION = "AI regions (research)"
ROLE = "region"
_KNOWN = SecondaryCaptureImageStorage


def build_region(study: AnalysedStudy) -> Iterator[Dataset]:
    """Make the regions of a study; nothing where no class is present or no heat map has a peak."""
    prediction, evidence, context = study.prediction, study.evidence, study.context
    if not prediction.positive_classes():
        return
    key = tracking_key(context, prediction.model, evidence.study_instance_uid)
    groups = ContentSequence()
    for group in _groups(prediction, key):
        groups.extend(group)
    if not groups:
        return
    header = ObjectHeader(
        sop_class_uid=Comprehensive3DSRStorage,
        modality="SR",
        role=ROLE,
        series_number=context.series_number(ResultKind.REGION),
        series_description=SERIES_DESCRIPTION,
        instance_number=1,
        instance_key=(*evidence.instance_key, *study.results.document_key),
    )
    root = measurement_report(study, groups)
    regions = new_document(header, evidence, prediction.model, context, root)
    if study.results.root is not None:
        regions.ReferencedInstanceSequence = study.results.root.instance_items(purpose=True)
    yield regions


@dataclass(slots=True)
class _Region:
    """A rectangle on an image, and the classes whose heat maps are hot in it."""

    image: ImagePrediction
    spot: Rectangle
    number: int  # of the first class' rectangles on the image, from 1
    of: int  # how many they are
    classes: list[int]


def _groups(
    prediction: StudyPrediction, key: tuple[str, ...]
) -> Iterator[PlanarROIMeasurementsAndQualitativeEvaluations]:
    places = {id(image): index for index, image in enumerate(prediction.images)}
    for region in _regions(prediction):
        image = region.image
        titles = [
            class_title(prediction.model.classes[class_index]) for class_index in region.classes
        ]
        name = image_name(places[id(image)], image)
        ending = f", region {region.number}" if region.of > 1 else ""
        tracking = TrackingIdentifier(
            _tracking_uid(key, region, prediction.model.classes[region.classes[0]].code.value),
            f"{', '.join(titles)} / {name}{ending}",
        )
        yield _group(prediction, region, tracking)


def _regions(prediction: StudyPrediction) -> list[_Region]:
    """Find the rectangles; classes that are hot in the same place share one.

    A viewer writes the numbers of a rectangle below each other, but those of two rectangles in
    one place over each other.
    """
    found: list[_Region] = []
    for positive in explained_images(prediction):
        for image in positive.images:
            header = image.header
            here = [region for region in found if region.image is image]
            spots = hot_spots(image.saliency[positive.class_index], header.rows, header.columns)
            for number, spot in enumerate(spots, start=1):
                shared = next((one for one in here if one.spot.like(spot)), None)
                if shared is None:
                    found.append(_Region(image, spot, number, len(spots), [positive.class_index]))
                elif positive.class_index not in shared.classes:
                    shared.classes.append(positive.class_index)
    return found


def _tracking_uid(key: tuple[str, ...], region: _Region, code: str) -> str:
    """Tracking UID: the strongest region of a class has that of its finding on the image."""
    finding = image_tracking_uid(key, region.image, code)
    return finding if region.number == 1 else derived_uid("region", finding, str(region.number))


def _group(
    prediction: StudyPrediction, region: _Region, tracking: TrackingIdentifier
) -> PlanarROIMeasurementsAndQualitativeEvaluations:
    image, model = region.image, prediction.model
    spec = model.classes[region.classes[0]]
    return PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking,
        referenced_region=_outline(region),
        finding_type=concept(spec.code),
        algorithm_id=algorithm(model, spec, image.outlier, prediction.coverage),
        measurements=[
            Measurement(
                image_probability_concept(model.classes[class_index]),
                stated_percent(image.probabilities[class_index]),
                PERCENT,
            )
            for class_index in region.classes
        ],
    )


def _outline(region: _Region) -> ImageRegion:
    """Make the rectangle on its image, in pixels of the frame.

    Notes
    -----
    highdicom asks what the class of the image may have, and knows those in force alone: images of
    retired and private classes are referred to by another one while it makes the item.
    """
    sop_class, instance, frames = reference_of(region.image)
    origin = pixel_origin(region.image)
    known = _KNOWN if origin is None else sop_class
    source = SourceImageForRegion(known, instance, frames)
    made = ImageRegion("POLYLINE", region.spot.outline(), source, origin)
    made.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPClassUID = sop_class
    return made
