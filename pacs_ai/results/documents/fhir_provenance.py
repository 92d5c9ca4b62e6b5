"""Where the content of a bundle comes from: the model, the study, and the DICOM objects.

After the HL7 guides "AI Transparency on FHIR" (Device of an AI, Provenance) and "DICOM SR to FHIR
Resource Mapping" (Device of TID 4019). R4 has no ImagingSelection, so a DICOM object is a
DocumentReference that its SOP Instance UID identifies.
"""

from collections.abc import Iterator, Sequence

from highdicom.sr import CodedConcept
from pydicom.uid import UID

from pacs_ai.domain import ImagePrediction
from pacs_ai.results.common.codes import (
    ARTIFICIAL_INTELLIGENCE,
    MODALITY_UNKNOWN,
    REPORT_TITLE,
    RESULT_NAMES,
)
from pacs_ai.results.common.context import MANUFACTURER, MODEL_NAME
from pacs_ai.results.common.equipment import device_uid
from pacs_ai.results.common.result_set import ROOT, MadeObject
from pacs_ai.results.content.algorithm import parameters_after, parameters_before
from pacs_ai.results.content.report_level import image_name
from pacs_ai.results.content.report_summary import ReportSummary
from pacs_ai.results.documents.fhir_terms import (
    AI_ASSERTED,
    AI_META,
    HL7,
    URI,
    Json,
    coding_system,
    dicom_concept,
    dicom_identifier,
    imaging_study,
    instant,
    reference,
    references,
    subject,
    uid_identifier,
)
from pacs_ai.uids import derived_uid

IMAGE = "image"
"""Id of the contained image on which a finding is strongest."""
_DEVICE_UID = CodedConcept("121012", "DCM", "Device Observer UID")
_PARAMETERS = CodedConcept("111002", "DCM", "Algorithm Parameters")
_AI: Json = {
    "system": "http://hl7.org/fhir/uv/aitransparency/CodeSystem/AIdeviceTypeCS",
    "code": "Artificial-Intelligence",
}
_PARTICIPANT = f"{HL7}/provenance-participant-type"


def device_of(summary: ReportSummary) -> Json:
    """Describe the model: its identifier is the Device UID (0018,1002) of the DICOM objects."""
    model = summary.model
    parameters = [*parameters_before(model), *parameters_after(model)]
    return {
        "resourceType": "Device",
        "identifier": [dicom_identifier(device_uid(model), _DEVICE_UID)],
        "status": "active",
        "manufacturer": model.manufacturer,
        "deviceName": [{"name": model.name, "type": "model-name"}],
        "type": {"coding": [_AI, *dicom_concept(ARTIFICIAL_INTELLIGENCE)["coding"]]},
        "version": [
            {"type": {"text": "model"}, "value": model.version},
            {"type": {"text": "SHA-256 of the weights"}, "value": model.sha256},
        ],
        "property": [
            {"type": dicom_concept(_PARAMETERS), "valueCode": [{"text": one} for one in parameters]}
        ],
    }


def documents_of(summary: ReportSummary, device: Json) -> Iterator[Json]:
    """Describe the DICOM objects that the study got beside the bundle."""
    for one in summary.objects:
        name = RESULT_NAMES.get(one.kind, REPORT_TITLE)
        yield {
            "resourceType": "DocumentReference",
            "meta": AI_META,
            "masterIdentifier": dicom_identifier(one.sop_instance_uid),
            "identifier": [dicom_identifier(one.sop_instance_uid)],
            "status": "current",
            "docStatus": "preliminary",
            "type": dicom_concept(name),
            "subject": subject(summary),
            "date": instant(summary.made_at),
            "author": [reference(device)],
            "description": _description(one),
            "securityLabel": [{"coding": [AI_ASSERTED]}],
            "content": [
                {
                    "attachment": {"contentType": "application/dicom", "title": name.meaning},
                    "format": _sop_class(one.sop_class_uid),
                }
            ],
            "context": {"related": [imaging_study(summary.source)]},
        }


def root_of(summary: ReportSummary, documents: Sequence[Json]) -> list[Json]:
    """Return the document that is the report among the DICOM objects; none without one."""
    kinds = [one.kind for one in summary.objects]
    return [one for kind, one in zip(kinds, documents, strict=True) if kind is ROOT]


def provenance_of(
    summary: ReportSummary, targets: Sequence[Json], device: Json, earlier: str
) -> Json:
    """Say who made the resources of a bundle, of what.

    Parameters
    ----------
    targets
        What the model stated.
    earlier
        UID of the bundle that this one replaces; "" without one.
    """
    made_at = instant(summary.made_at)
    revised = {"type": "DiagnosticReport", "identifier": uid_identifier(earlier)}
    node = {
        "type": "Device",
        "identifier": uid_identifier(summary.node),
        "display": f"{MODEL_NAME} {summary.node_version} by {MANUFACTURER}",
    }
    tag = {"system": URI, "code": f"urn:oid:{derived_uid('provenance', summary.uid)}"}
    return {
        "resourceType": "Provenance",
        "meta": {"tag": [tag]},
        "target": references(targets),
        "occurredDateTime": made_at,
        "recorded": made_at,
        "reason": [{"coding": [AI_ASSERTED]}],
        "activity": {"coding": [{"system": f"{HL7}/v3-DataOperation", "code": "CREATE"}]},
        "agent": [
            {"type": _part("author"), "role": [{"coding": [_AI]}], "who": reference(device)},
            {"type": _part("assembler"), "who": node},
        ],
        "entity": [
            {"role": "source", "what": imaging_study(summary.source)},
            *([{"role": "revision", "what": revised}] if earlier else []),
        ],
    }


def shown_image(summary: ReportSummary, image: ImagePrediction) -> Json:
    """Name an image of the study: a contained ImagingStudy that has this image alone."""
    header = image.header
    modality = header.modality or MODALITY_UNKNOWN
    instance = {
        "uid": header.sop_instance_uid,
        "sopClass": _sop_class(header.sop_class_uid),
        "title": image_name(0, image),
    }
    series = {
        "uid": header.series_instance_uid,
        "modality": {"system": coding_system("DCM"), "code": modality},
        "instance": [instance],
    }
    return {
        "resourceType": "ImagingStudy",
        "id": IMAGE,
        "identifier": [imaging_study(summary.source)["identifier"]],
        "status": "available",
        "subject": subject(summary),
        "series": [series],
    }


def _description(one: MadeObject) -> str:
    finding = f": {one.tracking}" if one.tracking else ""
    return f"AI result, {one.kind}{finding}"


def _sop_class(uid: str) -> Json:
    return {"system": URI, "code": f"urn:oid:{uid}", "display": UID(uid).name}


def _part(code: str) -> Json:
    return {"coding": [{"system": _PARTICIPANT, "code": code}]}
