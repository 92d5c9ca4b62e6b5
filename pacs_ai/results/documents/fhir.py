"""The bundle: a FHIR R4 transaction with DiagnosticReport, Observations and Device.

Each entry is a conditional update by an identifier of ours: sent twice, it is there once. Patient,
order and imaging study are named by their identifiers, for the receiving server to resolve. So is
the report of an earlier revision, which a new one replaces.
"""

import json
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pydicom.dataset import Dataset

from pacs_ai.dicom.dates_times import date_of
from pacs_ai.dicom.reading import items, text
from pacs_ai.domain import Code, Decision, Reservation, ResultKind
from pacs_ai.results.common.codes import class_title
from pacs_ai.results.common.context import MANUFACTURER
from pacs_ai.results.content.report_summary import NOTICE, ReportSummary, Statement
from pacs_ai.results.content.wording import (
    absent_below,
    beyond,
    measured_percent,
    operating_point,
    stated_percent,
)
from pacs_ai.uids import NAMESPACE, derived_uid

SUFFIX = ".json"

Json = dict[str, Any]

_URI = "urn:ietf:rfc3986"
_REPLACES = "http://hl7.org/fhir/StructureDefinition/diagnosticReport-replaces"
_HL7 = "http://terminology.hl7.org/CodeSystem"
_SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "LN": "http://loinc.org",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
}
_INTERPRETATIONS = {
    Decision.PRESENT: ("POS", "Positive"),
    Decision.ABSENT: ("NEG", "Negative"),
    Decision.UNDETERMINED: ("IND", "Indeterminate"),
}
_PERCENT: Json = {"unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}
_RESEARCH = {
    "security": [
        {"system": f"{_HL7}/v3-ActReason", "code": "HRESCH", "display": "healthcare research"}
    ]
}


def build_bundle(summary: ReportSummary) -> bytes:
    """Write a report as a transaction Bundle in JSON.

    Parameters
    ----------
    summary
        The content of the report.
    """
    device = _device(summary)
    observations = [_observation(summary, one, device) for one in summary.statements]
    observations += [_reservation(summary, one, device) for one in summary.reservations]
    report = _report(summary, observations)
    bundle = {
        "resourceType": "Bundle",
        "identifier": uid_identifier(summary.uid),
        "type": "transaction",
        "timestamp": instant(summary.made_at),
        "entry": [_entry(resource) for resource in (report, *observations, device)],
    }
    return (json.dumps(bundle, ensure_ascii=False, indent=2) + "\n").encode("utf-8")


def coding_system(scheme: str) -> str:
    """URI of a coding scheme; one that FHIR has none for gets one of its own name."""
    return _SYSTEMS.get(scheme) or f"urn:oid:{derived_uid('coding scheme', scheme)}"


def _report(summary: ReportSummary, observations: list[Json]) -> Json:
    present = [one for one in summary.statements if one.decision is Decision.PRESENT]
    document = summary.document_uid(ResultKind.FHIR)
    report: Json = {
        "resourceType": "DiagnosticReport",
        "meta": _RESEARCH,
        "identifier": [uid_identifier(summary.uid), uid_identifier(document)],
        "extension": list(_replaces(summary.earlier_bundle, document)),
        "basedOn": list(_orders(summary.source)),
        "status": _status(summary),
        "category": [{"coding": [{"system": f"{_HL7}/v2-0074", "code": "RAD"}]}],
        "code": _concept(Code("18748-4", "LN", "Diagnostic Imaging Report")),
        "subject": _subject(summary.source),
        "effectiveDateTime": _date(text(summary.source, "StudyDate")),
        "issued": instant(summary.made_at),
        "result": [{"reference": _url(observation)} for observation in observations],
        "imagingStudy": [_imaging_study(summary.source)],
        "conclusion": " ".join(summary.sentences),
        "conclusionCode": [_concept(one.spec.code) for one in present],
    }
    return _filled(report)


def _replaces(earlier: str, document: str) -> Iterator[Json]:
    """Name the report that this one replaces, by the second of its identifiers."""
    if earlier and earlier != document:
        report = {"type": "DiagnosticReport", "identifier": uid_identifier(earlier)}
        yield {"url": _REPLACES, "valueReference": report}


def _observation(summary: ReportSummary, one: Statement, device: Json) -> Json:
    spec = one.spec
    observation: Json = {
        "resourceType": "Observation",
        "meta": _RESEARCH,
        "identifier": [uid_identifier(derived_uid("observation", summary.uid, spec.code.value))],
        "status": "preliminary",
        "category": [{"coding": [{"system": f"{_HL7}/observation-category", "code": "imaging"}]}],
        "code": {**_concept(spec.code), "text": f"{class_title(spec)}, calibrated probability"},
        "subject": _subject(summary.source),
        "effectiveDateTime": _date(text(summary.source, "StudyDate")),
        "issued": instant(summary.made_at),
        "valueQuantity": _percent(one.probability),
        "note": [{"text": note} for note in (summary.change_of(one), NOTICE) if note],
        "device": {"reference": _url(device)},
        "derivedFrom": [_imaging_study(summary.source)],
        "component": list(_before(summary, one)),
    }
    if one.decision is not None:
        code, meaning = _INTERPRETATIONS[one.decision]
        system = f"{_HL7}/v3-ObservationInterpretation"
        observation["interpretation"] = [
            {"coding": [{"system": system, "code": code, "display": meaning}]}
        ]
    if spec.positive:
        limit = {
            "high": {**_PERCENT, "value": stated_percent(absent_below(spec))},
            "text": f"absent below; operating point {operating_point(spec)}",
        }
        observation["referenceRange"] = [limit]
    return _filled(observation)


def _before(summary: ReportSummary, one: Statement) -> Iterator[Json]:
    """State the probability that the same class had in an earlier study."""
    if summary.prior is not None and one.before is not None:
        said = f"{class_title(one.spec)}, calibrated probability on {summary.prior.day}"
        code = {**_concept(one.spec.code), "text": said}
        yield {"code": code, "valueQuantity": _percent(one.before.probability)}


def _reservation(summary: ReportSummary, one: Reservation, device: Json) -> Json:
    """State a reservation: most often the share of images concerned."""
    return _filled(
        {
            "resourceType": "Observation",
            "meta": _RESEARCH,
            "identifier": [uid_identifier(derived_uid("observation", summary.uid, one.code.value))],
            "status": "preliminary",
            "code": _concept(one.code),
            "subject": _subject(summary.source),
            "issued": instant(summary.made_at),
            "valueQuantity": {**_PERCENT, "value": measured_percent(one.percent)},
            "note": [{"text": one.text}, {"text": NOTICE}],
            "device": {"reference": _url(device)},
            "derivedFrom": [_imaging_study(summary.source)],
        }
    )


def _status(summary: ReportSummary) -> str:
    if summary.reason:
        return "cancelled"
    incomplete = summary.coverage is not None and summary.coverage.incomplete
    return "partial" if incomplete else "preliminary"


def _device(summary: ReportSummary) -> Json:
    model = summary.model
    uid = derived_uid("model", model.name, model.version, model.sha256)
    return {
        "resourceType": "Device",
        "identifier": [uid_identifier(uid)],
        "manufacturer": model.manufacturer,
        "deviceName": [{"name": model.name, "type": "model-name"}],
        "version": [{"value": model.version}],
        "note": [
            {
                "text": f"weights sha256 {model.sha256}; temperature {model.temperature:g}; "
                f"aggregation {model.aggregation}; served by {MANUFACTURER}"
            }
        ],
    }


def _entry(resource: Json) -> Json:
    identifier = resource["identifier"][0]
    query = f"identifier={identifier['system']}|{identifier['value']}"
    return {
        "fullUrl": _url(resource),
        "resource": resource,
        "request": {"method": "PUT", "url": f"{resource['resourceType']}?{query}"},
    }


def _url(resource: Json) -> str:
    """Name a resource inside the bundle."""
    return f"urn:uuid:{uuid.uuid5(NAMESPACE, resource['identifier'][0]['value'])}"


def uid_identifier(uid: str) -> Json:
    """Write a UID as an identifier."""
    return {"system": _URI, "value": f"urn:oid:{uid}"}


def _subject(source: Dataset) -> Json:
    identifier = _filled(
        {"system": text(source, "IssuerOfPatientID"), "value": text(source, "PatientID")}
    )
    # an issuer is a name in DICOM, and may be no URI: FHIR wants one as the system
    if not identifier.get("system", "urn:").startswith(("urn:", "http:", "https:")):
        identifier["assigner"] = {"display": identifier.pop("system")}
    subject: Json = {"type": "Patient"}
    if "value" in identifier:
        subject["identifier"] = identifier
    name = " ".join(part for part in text(source, "PatientName").split("=")[0].split("^") if part)
    return {**subject, **({"display": name} if name else {})}


def _orders(source: Dataset) -> Iterator[Json]:
    requests = items(source, "RequestAttributesSequence") or [source]
    numbers = [text(one, "AccessionNumber") or text(source, "AccessionNumber") for one in requests]
    for number in dict.fromkeys(filter(None, numbers)):
        kind = {"coding": [{"system": f"{_HL7}/v2-0203", "code": "ACSN"}]}
        yield {"type": "ServiceRequest", "identifier": {"type": kind, "value": number}}


def _imaging_study(source: Dataset) -> Json:
    uid = f"urn:oid:{text(source, 'StudyInstanceUID')}"
    return {"type": "ImagingStudy", "identifier": {"system": "urn:dicom:uid", "value": uid}}


def _concept(code: Code) -> Json:
    system = coding_system(code.scheme)
    return {"coding": [{"system": system, "code": code.value, "display": code.meaning}]}


def _percent(part: float) -> Json:
    comparator = beyond(part)
    stated = {**_PERCENT, "value": stated_percent(part)}
    return {**stated, "comparator": comparator} if comparator else stated


def _date(date: str) -> str:
    """Write a DICOM date as FHIR does; "" if it is no valid date."""
    day = date_of(date)
    return "" if day is None else day.isoformat()


def instant(moment: datetime) -> str:
    """Write a moment with its time zone."""
    return moment.isoformat(timespec="milliseconds")


def _filled(resource: Json) -> Json:
    """Leave out what is empty: FHIR has no empty values."""
    return {key: value for key, value in resource.items() if value not in ("", [], {}, None)}
