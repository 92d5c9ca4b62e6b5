"""Key objects: the images on which a class is present (TID 2010, PS3.16)."""

from collections.abc import Iterator

from highdicom.sr import CompositeContentItem, ImageContentItem, RelationshipTypeValues
from pydicom.dataset import Dataset

from pacs_ai.domain import ImagePrediction, StudyPrediction
from pacs_ai.results.common.codes import OF_INTEREST, SOURCE, class_title
from pacs_ai.results.common.result_set import Root
from pacs_ai.results.content.positive_images import positive_images
from pacs_ai.results.content.study import AnalysedStudy
from pacs_ai.results.sr.image_measurements import reference_of
from pacs_ai.results.sr.references import referenced_requests
from pacs_ai.results.sr.selection_document import Selection, new_selection

SERIES_DESCRIPTION = "AI key images (research)"
ROLE = "key_object"


def build_key_object(study: AnalysedStudy) -> Iterator[Dataset]:
    """Select the images on which a class is present; nothing where no class is."""
    prediction, evidence, model = study.prediction, study.evidence, study.prediction.model
    found = positive_images(prediction)
    if not found:
        return
    images = _in_order(prediction, [image for one in found for image in one.images])
    names = ", ".join(class_title(model.classes[one.class_index]) for one in found)
    remark = f"; {prediction.coverage.remark}" if prediction.coverage.partial else ""
    report = [study.results.root] if study.results.root is not None else []
    selection = Selection(
        role=ROLE,
        series_description=SERIES_DESCRIPTION,
        key=(*evidence.instance_key, *study.results.document_key),
        title=OF_INTEREST,
        text=f"{names} - AI research, not for clinical use; {model.name} {model.version}{remark}",
        instances=[
            *{one.header.sop_instance_uid: one.header for one in images}.values(),
            *report,
        ],
        references=[*map(_reference, images), *map(_reference_to_report, report)],
    )
    made = new_selection(selection, evidence.reference, model, study.context)
    if requests := referenced_requests(evidence.reference):
        made.ReferencedRequestSequence = requests
    yield made


def _in_order(prediction: StudyPrediction, chosen: list[ImagePrediction]) -> list[ImagePrediction]:
    """Bring the images into the study's order, each once."""
    return [image for image in prediction.images if any(image is other for other in chosen)]


def _reference(image: ImagePrediction) -> ImageContentItem:
    contains = RelationshipTypeValues.CONTAINS
    return ImageContentItem(SOURCE, *reference_of(image), relationship_type=contains)


def _reference_to_report(report: Root) -> CompositeContentItem:
    """Select the report beside the images: it says what was found on them."""
    return CompositeContentItem(
        SOURCE,
        report.sop_class_uid,
        report.sop_instance_uid,
        relationship_type=RelationshipTypeValues.CONTAINS,
    )
