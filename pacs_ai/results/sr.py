"""The report: probability of each class as a structured report (TID 1500, PS3.16)."""

from highdicom.sr import (
    CodeContentItem,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    LanguageOfContentItemAndDescendants,
    ObservationContext,
    ObserverContext,
    RelationshipTypeValues,
)
from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from pacs_ai.dicom.header import read_header
from pacs_ai.domain import StudyPrediction
from pacs_ai.results.codes import (
    AI_PROCEDURE,
    DEVICE,
    IMAGING_MEASUREMENTS,
    LANGUAGE,
    PROCEDURE_REPORTED,
    TITLE,
    procedure_code,
)
from pacs_ai.results.context import MANUFACTURER, MODEL_NAME, ResultContext
from pacs_ai.results.document import Frame, new_object
from pacs_ai.results.groups import measurement_groups
from pacs_ai.results.library import image_library
from pacs_ai.results.request import (
    evidence_items,
    referenced_requests,
)
from pacs_ai.results.source import Evidence

SERIES_DESCRIPTION = "AI classification (research)"
ROLE = "report"


def build_report(
    prediction: StudyPrediction,
    evidence: Evidence,
    context: ResultContext,
    sop_class_uid: str = Comprehensive3DSRStorage,
) -> Dataset:
    """Make the report of a study.

    Parameters
    ----------
    prediction
        What the model says.
    evidence
        Headers of the analysed instances.
    context
        Installation and time.
    sop_class_uid
        Comprehensive 3D SR, or Comprehensive SR for a peer that refuses it: the content, which
        has no 3D coordinates, is the same.
    """
    instance_key = tuple(sorted(header.sop_instance_uid for header in evidence.headers))
    if sop_class_uid != Comprehensive3DSRStorage:
        instance_key += (sop_class_uid,)
    frame = Frame(
        sop_class_uid=sop_class_uid,
        modality="SR",
        role=ROLE,
        series_number=context.series_number_base,
        series_description=SERIES_DESCRIPTION,
        instance_number=1,
        instance_key=instance_key,
    )
    report = new_object(frame, evidence.reference, prediction.model, context)
    report.CompletionFlag = "COMPLETE"
    report.VerificationFlag = "UNVERIFIED"
    report.PreliminaryFlag = "PRELIMINARY"
    report.PerformedProcedureCodeSequence = [AI_PROCEDURE]
    report.ReferencedPerformedProcedureStepSequence = []
    report.CurrentRequestedProcedureEvidenceSequence = evidence_items(evidence.headers)
    if requests := referenced_requests(evidence.reference):
        report.ReferencedRequestSequence = requests
    if context.predecessor is not None:
        earlier = read_header(context.predecessor)
        if earlier.sop_instance_uid != report.SOPInstanceUID:
            report.PredecessorDocumentsSequence = evidence_items([earlier])
    root = _root(prediction, evidence, context)
    for element in root:
        report[element.tag] = element
    return report


def _root(
    prediction: StudyPrediction, evidence: Evidence, context: ResultContext
) -> ContainerContentItem:
    root = ContainerContentItem(TITLE, template_id="1500")
    measurements = ContainerContentItem(
        IMAGING_MEASUREMENTS, relationship_type=RelationshipTypeValues.CONTAINS
    )
    key = context.series_key(prediction.model, ROLE, prediction.images[0].header.study_instance_uid)
    measurements.ContentSequence = measurement_groups(prediction, key)
    modality = prediction.images[0].header.modality
    content: list[ContentItem] = [
        *LanguageOfContentItemAndDescendants(LANGUAGE),
        *_observer(context),
        CodeContentItem(
            PROCEDURE_REPORTED,
            procedure_code(modality),
            RelationshipTypeValues.HAS_CONCEPT_MOD,
        ),
        image_library(evidence.headers),
        measurements,
    ]
    root.ContentSequence = ContentSequence(content)
    return root


def _observer(context: ResultContext) -> ObservationContext:
    device = DeviceObserverIdentifyingAttributes(
        uid=context.installation_uid,
        name=MODEL_NAME,
        manufacturer_name=MANUFACTURER,
        model_name=MODEL_NAME,
        serial_number=context.installation_uid,
    )
    return ObservationContext(observer_device_context=ObserverContext(DEVICE, device))
