"""What the resources of a bundle are made of: codes, identifiers, and who and what they are about.

Patient, order and imaging study are named by their identifiers, for the receiving server to
resolve. UIDs of DICOM are identifiers of the system ``urn:dicom:uid``, as in the ImagingStudy of
FHIR R4 and in the HL7 guide "DICOM SR to FHIR Resource Mapping".
"""

import uuid
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset

from pacs_ai.dicom.dates_times import date_of
from pacs_ai.dicom.reading import items, text
from pacs_ai.domain import Code
from pacs_ai.results.content.report_summary import ReportSummary
from pacs_ai.uids import NAMESPACE, derived_uid

Json = dict[str, Any]

URI = "urn:ietf:rfc3986"
DICOM_UID = "urn:dicom:uid"
HL7 = "http://terminology.hl7.org/CodeSystem"
_SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "LN": "http://loinc.org",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
}
_STUDY_UID = Code("110180", "DCM", "Study Instance UID")

AI_ASSERTED: Json = {
    "system": f"{HL7}/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
"""The label of what AI states (HL7 guide "AI Transparency on FHIR", Labeling)."""
_RESEARCH: Json = {
    "system": f"{HL7}/v3-ActReason",
    "code": "HRESCH",
    "display": "healthcare research",
}
AI_META: Json = {"security": [AI_ASSERTED, _RESEARCH]}
"""Meta of resources whose content comes from a model."""


def coding_system(scheme: str) -> str:
    """URI of a coding scheme; one that FHIR has none for gets one of its own name."""
    return _SYSTEMS.get(scheme) or f"urn:oid:{derived_uid('coding scheme', scheme)}"


def concept(code: Code) -> Json:
    """Write a code as a CodeableConcept."""
    system = coding_system(code.scheme)
    return {"coding": [{"system": system, "code": code.value, "display": code.meaning}]}


def dicom_concept(code: CodedConcept) -> Json:
    """Write a concept of DICOM as a CodeableConcept."""
    return concept(Code(code.value, code.scheme_designator, code.meaning))


def uid_identifier(uid: str) -> Json:
    """Write a UID of ours as an identifier."""
    return {"system": URI, "value": f"urn:oid:{uid}"}


def dicom_identifier(uid: str, kind: CodedConcept | None = None) -> Json:
    """Write a UID of DICOM as an identifier, with what it identifies."""
    named = {} if kind is None else {"type": dicom_concept(kind)}
    return {**named, "system": DICOM_UID, "value": f"urn:oid:{uid}"}


def reference(resource: Json) -> Json:
    """Refer to a resource of the same bundle."""
    return {"reference": url(resource)}


def url(resource: Json) -> str:
    """Name a resource inside of the bundle."""
    return f"urn:uuid:{uuid.uuid5(NAMESPACE, '|'.join(_key(resource)))}"


def entry(resource: Json) -> Json:
    """Make the entry of a resource: a conditional update, so that sent twice it is there once.

    Notes
    -----
    Provenance has no identifiers in R4. The key of one is a tag, by which any resource is found.
    """
    kind = resource["resourceType"]
    query = "=".join((_parameter(resource), "|".join(_key(resource))))
    return {
        "fullUrl": url(resource),
        "resource": resource,
        "request": {"method": "PUT", "url": f"{kind}?{query}"},
    }


def _parameter(resource: Json) -> str:
    return "identifier" if "identifier" in resource else "_tag"


def _key(resource: Json) -> tuple[str, str]:
    if "identifier" in resource:
        first = resource["identifier"][0]
        return first["system"], first["value"]
    tag = resource["meta"]["tag"][0]
    return tag["system"], tag["code"]


def subject(summary: ReportSummary) -> Json:
    """Refer to the patient."""
    source = summary.source
    identifier = filled(
        {"system": text(source, "IssuerOfPatientID"), "value": text(source, "PatientID")}
    )
    # an issuer is a name in DICOM, and may be no URI: FHIR wants one as the system
    if not identifier.get("system", "urn:").startswith(("urn:", "http:", "https:")):
        identifier["assigner"] = {"display": identifier.pop("system")}
    patient: Json = {"type": "Patient"}
    if "value" in identifier:
        patient["identifier"] = identifier
    name = " ".join(part for part in text(source, "PatientName").split("=")[0].split("^") if part)
    return {**patient, **({"display": name} if name and summary.name_patient else {})}


def orders(source: Dataset) -> Iterator[Json]:
    """Refer to the orders, by their accession numbers."""
    requests = items(source, "RequestAttributesSequence") or [source]
    numbers = [text(one, "AccessionNumber") or text(source, "AccessionNumber") for one in requests]
    for number in dict.fromkeys(filter(None, numbers)):
        kind = {"coding": [{"system": f"{HL7}/v2-0203", "code": "ACSN"}]}
        yield {"type": "ServiceRequest", "identifier": {"type": kind, "value": number}}


def imaging_study(source: Dataset) -> Json:
    """Refer to the study that was analysed."""
    uid = text(source, "StudyInstanceUID")
    identifier = {"type": concept(_STUDY_UID), **dicom_identifier(uid)}
    return {"type": "ImagingStudy", "identifier": identifier}


def date(value: str) -> str:
    """Write a DICOM date as FHIR does; "" if it is no valid date."""
    day = date_of(value)
    return "" if day is None else day.isoformat()


def instant(moment: datetime) -> str:
    """Write a moment with its time zone."""
    return moment.isoformat(timespec="milliseconds")


def filled(resource: Json) -> Json:
    """Leave out what is empty: FHIR has no empty values."""
    return {key: value for key, value in resource.items() if value not in ("", [], {}, None)}


def references(resources: Iterable[Json]) -> list[Json]:
    """Refer to resources of the same bundle."""
    return [reference(one) for one in resources]
