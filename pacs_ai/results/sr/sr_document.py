"""The part that all structured reports share: status, order, evidence, observer.

SR Document General Module, PS3.3 Section C.17.2.
"""

from highdicom.sr import (
    ContentItem,
    DeviceObserverIdentifyingAttributes,
    LanguageOfContentItemAndDescendants,
    ObservationContext,
    ObserverContext,
)
from pydicom.dataset import Dataset

from pacs_ai.domain import ModelIdentity
from pacs_ai.results.common.codes import AI_PROCEDURE, DEVICE, LANGUAGE
from pacs_ai.results.common.context import ResultContext
from pacs_ai.results.common.equipment import Observer
from pacs_ai.results.common.evidence import Evidence
from pacs_ai.results.common.object_header import ObjectHeader, new_object
from pacs_ai.results.sr.references import evidence_items, referenced_requests


def new_document(
    header: ObjectHeader,
    evidence: Evidence,
    model: ModelIdentity,
    context: ResultContext,
    root: Dataset,
) -> Dataset:
    """Make a structured report around its content: complete and unverified.

    Parameters
    ----------
    header
        Class, series and number.
    evidence
        Headers of all instances that the content refers to.
    model
        Who computed the content.
    context
        Installation, time, and the report that this one replaces.
    root
        The content tree.
    """
    document = new_object(header, evidence.reference, model, context)
    set_status(document)
    document.PerformedProcedureCodeSequence = [AI_PROCEDURE]
    document.ReferencedPerformedProcedureStepSequence = []
    document.CurrentRequestedProcedureEvidenceSequence = evidence_items(evidence.headers)
    if requests := referenced_requests(evidence.reference):
        document.ReferencedRequestSequence = requests
    earlier = context.predecessor
    if earlier is not None and earlier.sop_instance_uid != document.SOPInstanceUID:
        document.PredecessorDocumentsSequence = evidence_items([earlier])
    for element in root:
        document[element.tag] = element
    return document


def set_status(document: Dataset) -> None:
    """State that a report is complete, and that nobody has verified it."""
    document.CompletionFlag = "COMPLETE"
    document.VerificationFlag = "UNVERIFIED"
    document.PreliminaryFlag = "PRELIMINARY"


def introduction(by: Observer) -> list[ContentItem]:
    """Language and observer, as every report begins (TID 1204, TID 1001)."""
    device = DeviceObserverIdentifyingAttributes(
        uid=by.uid,
        name=by.name,
        manufacturer_name=by.manufacturer,
        model_name=by.name,
        serial_number=by.serial or None,
    )
    observer = ObservationContext(observer_device_context=ObserverContext(DEVICE, device))
    return [*LanguageOfContentItemAndDescendants(LANGUAGE), *observer]
