"""Key objects: the images on which a class is present (TID 2010, PS3.16)."""

from collections.abc import Iterator

from highdicom.sr import (
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    ImageContentItem,
    RelationshipTypeValues,
    TextContentItem,
)
from pydicom.dataset import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage

from pacs_ai.domain import ImagePrediction, InstanceHeader, ResultKind, StudyPrediction
from pacs_ai.results.common.codes import KEY_OBJECT_DESCRIPTION, OF_INTEREST, SOURCE, class_title
from pacs_ai.results.common.context import ResultContext
from pacs_ai.results.common.object_header import ObjectHeader, new_object
from pacs_ai.results.content.positive_images import positive_images
from pacs_ai.results.content.study import AnalysedStudy
from pacs_ai.results.sr.image_measurements import reference_of
from pacs_ai.results.sr.references import evidence_items, referenced_requests
from pacs_ai.results.sr.sr_document import introduction

SERIES_DESCRIPTION = "AI key images (research)"
ROLE = "key_object"


def build_key_object(study: AnalysedStudy) -> Iterator[Dataset]:
    """Select the images on which a class is present; nothing where no class is."""
    prediction, evidence, context = study.prediction, study.evidence, study.context
    found = positive_images(prediction)
    if not found:
        return
    images = _in_order(prediction, [image for one in found for image in one.images])
    headers = list({image.header.sop_instance_uid: image.header for image in images}.values())
    header = ObjectHeader(
        sop_class_uid=KeyObjectSelectionDocumentStorage,
        modality="KO",
        role=ROLE,
        series_number=context.series_number(ResultKind.KEY_OBJECT),
        series_description=SERIES_DESCRIPTION,
        instance_number=1,
        instance_key=evidence.instance_key,
    )
    selection = new_object(header, evidence.reference, prediction.model, context)
    selection.ReferencedPerformedProcedureStepSequence = []
    if requests := referenced_requests(evidence.reference):
        selection.ReferencedRequestSequence = requests
    _list_evidence(selection, headers)
    names = ", ".join(class_title(prediction.model.classes[one.class_index]) for one in found)
    model = prediction.model
    remark = f"; {prediction.coverage.remark}" if prediction.coverage.reasons else ""
    text = f"{names} - AI research, not for clinical use; {model.name} {model.version}{remark}"
    for element in _root(images, text, context):
        selection[element.tag] = element
    yield selection


def _list_evidence(selection: Dataset, headers: list[InstanceHeader]) -> None:
    selection.CurrentRequestedProcedureEvidenceSequence = evidence_items(headers)


def _in_order(prediction: StudyPrediction, chosen: list[ImagePrediction]) -> list[ImagePrediction]:
    """Bring the images into the study's order, each once."""
    return [image for image in prediction.images if any(image is other for other in chosen)]


def _root(images: list[ImagePrediction], text: str, context: ResultContext) -> ContainerContentItem:
    root = ContainerContentItem(OF_INTEREST, template_id="2010")
    contains = RelationshipTypeValues.CONTAINS
    content: list[ContentItem] = [
        *introduction(context.installation_uid),
        TextContentItem(KEY_OBJECT_DESCRIPTION, text, contains),
    ]
    content += [
        ImageContentItem(SOURCE, *reference_of(image), relationship_type=contains)
        for image in images
    ]
    root.ContentSequence = ContentSequence(content)
    for item in root.ContentSequence:
        if item.ValueType == "IMAGE":
            del item.ConceptNameCodeSequence  # TID 2010 forbids the name that highdicom asks for
    return root
