"""The bundle: a FHIR R4 transaction with a report, its findings, and where they come from.

DiagnosticReport, an Observation for each class and reservation, the Device that computed them, a
DocumentReference for each DICOM object, and Provenance. Each entry is a conditional update by an
identifier of ours: sent twice, it is there once. The report of an earlier revision, which a new
one replaces, is named by its identifier.
"""

import json
from collections.abc import Iterator

from pacs_ai.dicom.reading import text
from pacs_ai.domain import Code, Decision, Reservation, ResultKind
from pacs_ai.results.common.codes import TRACKING_IDENTIFIER, TRACKING_UID, class_title
from pacs_ai.results.content.report_summary import NOTICE, ReportSummary, Statement
from pacs_ai.results.content.wording import (
    absent_below,
    beyond,
    measured_percent,
    operating_point,
    stated_percent,
)
from pacs_ai.results.documents.fhir_provenance import (
    IMAGE,
    device_of,
    documents_of,
    provenance_of,
    root_of,
    shown_image,
)
from pacs_ai.results.documents.fhir_terms import (
    AI_META,
    HL7,
    Json,
    concept,
    date,
    dicom_concept,
    dicom_identifier,
    entry,
    filled,
    imaging_study,
    instant,
    orders,
    reference,
    references,
    subject,
    uid_identifier,
)
from pacs_ai.uids import derived_uid

SUFFIX = ".json"

_REPLACES = "http://hl7.org/fhir/StructureDefinition/diagnosticReport-replaces"
_INTERPRETATIONS = {
    Decision.PRESENT: ("POS", "Positive"),
    Decision.ABSENT: ("NEG", "Negative"),
    Decision.UNDETERMINED: ("IND", "Indeterminate"),
}
_IMAGING: Json = {"coding": [{"system": f"{HL7}/observation-category", "code": "imaging"}]}
_PERCENT: Json = {"unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}


def build_bundle(summary: ReportSummary) -> bytes:
    """Write a report as a transaction Bundle in JSON.

    Parameters
    ----------
    summary
        The content of the report.
    """
    device = device_of(summary)
    documents = list(documents_of(summary, device))
    about = _About(summary, device, root_of(summary, documents))
    observations = [about.observation(one) for one in summary.statements]
    observations += [about.reservation(one) for one in summary.reservations]
    report = _report(summary, observations)
    stated = [report, *observations, *documents]
    resources = [*stated, device, provenance_of(summary, stated, device, _earlier(summary))]
    bundle = {
        "resourceType": "Bundle",
        "identifier": uid_identifier(summary.uid),
        "type": "transaction",
        "timestamp": instant(summary.made_at),
        "entry": [entry(resource) for resource in resources],
    }
    return (json.dumps(bundle, ensure_ascii=False, indent=2) + "\n").encode("utf-8")


def _report(summary: ReportSummary, observations: list[Json]) -> Json:
    present = [one for one in summary.statements if one.decision is Decision.PRESENT]
    report: Json = {
        "resourceType": "DiagnosticReport",
        "meta": AI_META,
        "identifier": [
            uid_identifier(summary.uid),
            uid_identifier(summary.document_uid(ResultKind.FHIR)),
        ],
        "extension": list(_replaces(summary)),
        "basedOn": list(orders(summary.source)),
        "status": "cancelled" if summary.reason else "partial",  # R4: a verified one is preliminary
        "category": [{"coding": [{"system": f"{HL7}/v2-0074", "code": "RAD"}]}],
        "code": concept(Code("18748-4", "LN", "Diagnostic Imaging Report")),
        "subject": subject(summary),
        "effectiveDateTime": date(text(summary.source, "StudyDate")),
        "issued": instant(summary.made_at),
        "result": references(observations),
        "imagingStudy": [imaging_study(summary.source)],
        "conclusion": " ".join(summary.sentences),
        "conclusionCode": [concept(one.spec.code) for one in present],
    }
    return filled(report)


def _earlier(summary: ReportSummary) -> str:
    """UID of the bundle that this one replaces; "" without one."""
    earlier = summary.earlier_bundle
    return "" if earlier == summary.document_uid(ResultKind.FHIR) else earlier


def _replaces(summary: ReportSummary) -> Iterator[Json]:
    """Name the report that this one replaces, by the second of its identifiers."""
    if earlier := _earlier(summary):
        report = {"type": "DiagnosticReport", "identifier": uid_identifier(earlier)}
        yield {"url": _REPLACES, "valueReference": report}


class _About:
    """Makes the Observations of a report.

    Parameters
    ----------
    summary, device
        The report, and who computed it.
    roots
        The structured report among the DICOM objects, if there is one.
    """

    def __init__(self, summary: ReportSummary, device: Json, roots: list[Json]) -> None:
        self._summary = summary
        self._device = device
        self._roots = roots

    def observation(self, one: Statement) -> Json:
        """State a class."""
        spec, summary = one.spec, self._summary
        strongest = [] if one.strongest is None else [shown_image(summary, one.strongest)]
        observation = {
            **self._observed(spec.code),
            "contained": strongest,
            "category": [_IMAGING],
            "code": {**concept(spec.code), "text": f"{class_title(spec)}, calibrated probability"},
            "effectiveDateTime": date(text(summary.source, "StudyDate")),
            "valueQuantity": _percent(one.probability),
            "interpretation": list(_interpretation(one)),
            "note": [{"text": note} for note in (summary.change_of(one), NOTICE) if note],
            "component": list(_before(summary, one)),
        }
        observation["identifier"] += list(_tracking(one))
        observation["derivedFrom"] += [{"reference": f"#{IMAGE}"} for _ in strongest]
        if spec.positive:
            limit = {
                "high": {**_PERCENT, "value": stated_percent(absent_below(spec))},
                "text": f"absent below; operating point {operating_point(spec)}",
            }
            observation["referenceRange"] = [limit]
        return filled(observation)

    def reservation(self, one: Reservation) -> Json:
        """State a reservation: most often the share of images concerned."""
        observation = {
            **self._observed(one.code),
            "valueQuantity": {**_PERCENT, "value": measured_percent(one.percent)},
            "note": [{"text": one.text}, {"text": NOTICE}],
        }
        return filled(observation)

    def _observed(self, code: Code) -> Json:
        """Return what all Observations of the report have."""
        summary = self._summary
        study = imaging_study(summary.source)
        return {
            "resourceType": "Observation",
            "meta": AI_META,
            "identifier": [uid_identifier(derived_uid("observation", summary.uid, code.value))],
            "basedOn": list(orders(summary.source)),
            "partOf": [study],
            "status": "preliminary",
            "code": concept(code),
            "subject": subject(summary),
            "issued": instant(summary.made_at),
            "device": reference(self._device),
            "derivedFrom": [study, *references(self._roots)],
        }


def _tracking(one: Statement) -> Iterator[Json]:
    """Name the finding as the report, the map and the segmentation do."""
    if one.tracking is not None:
        yield dicom_identifier(one.tracking.uid, TRACKING_UID)
        yield {"type": dicom_concept(TRACKING_IDENTIFIER), "value": one.tracking.identifier}


def _interpretation(one: Statement) -> Iterator[Json]:
    if one.decision is not None:
        code, meaning = _INTERPRETATIONS[one.decision]
        system = f"{HL7}/v3-ObservationInterpretation"
        yield {"coding": [{"system": system, "code": code, "display": meaning}]}


def _before(summary: ReportSummary, one: Statement) -> Iterator[Json]:
    """State the probability that the same class had in an earlier study."""
    if summary.prior is not None and one.before is not None:
        said = f"{class_title(one.spec)}, calibrated probability on {summary.prior.day}"
        code = {**concept(one.spec.code), "text": said}
        yield {"code": code, "valueQuantity": _percent(one.before.probability)}


def _percent(part: float) -> Json:
    comparator = beyond(part)
    stated = {**_PERCENT, "value": stated_percent(part)}
    return {**stated, "comparator": comparator} if comparator else stated
