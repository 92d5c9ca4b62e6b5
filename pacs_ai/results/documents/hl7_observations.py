"""The observations (OBX) of the message: one for each number, decision, reservation and object."""

from collections.abc import Iterator, Mapping

from pacs_ai.dicom.reading import text
from pacs_ai.domain import Decision, Reservation
from pacs_ai.results.common.codes import MAX_MEANING, class_title
from pacs_ai.results.common.equipment import device_uid
from pacs_ai.results.common.result_set import ROOT
from pacs_ai.results.content.report_summary import ReportSummary, Statement
from pacs_ai.results.content.wording import absent_below, measured_percent, stated_percent
from pacs_ai.results.documents.hl7_fields import (
    NO_RESULT,
    ORDER_DETAIL,
    UNVERIFIED,
    coded,
    escaped,
    lines,
    message_time,
    placed,
    system_of,
)

_FLAGS = {Decision.PRESENT: "A", Decision.ABSENT: "N", Decision.UNDETERMINED: "IND", None: ""}
_STUDY = ("113014", "DICOM Study", "DCM")
_SR = ("126000", "Imaging Measurement Report", "DCM")
_MODEL = ("111001", "Algorithm Name", "DCM")
_METHOD = ("123110", "Artificial Intelligence", "DCM")
_CONCLUSION = ("19005-8", "Radiology Imaging study [Impression] (narrative)", "LN")
_PERCENT = "%^percent^UCUM"


def observations(summary: ReportSummary) -> Iterator[tuple[str, ...]]:
    """Make the OBX of a report, from their second field on."""
    status = NO_RESULT if summary.reason else UNVERIFIED
    made_by = _maker(summary)

    def said(kind: str, code: tuple[str, str, str], sub: str, value: str) -> tuple[str, ...]:
        return _observation({2: kind, 3: coded(*code), 4: sub, 5: value, 11: status}, made_by)

    model = summary.model
    yield _named(_STUDY, text(summary.source, "StudyInstanceUID"))
    yield from (_named(_SR, one.sop_instance_uid) for one in summary.objects if one.kind is ROOT)
    named = f"{model.name} {model.version} by {model.manufacturer}, weights {model.sha256[:12]}"
    yield said("TX", _MODEL, "", lines(named))
    for number, one in enumerate(summary.statements, start=1):
        yield _observation(_probability(one, str(number)), made_by)
        name, system = class_title(one.spec), system_of(one.spec.code)
        if one.decision is not None:
            yield said("ST", (one.spec.code.value, name, system), f"{number}.2", str(one.decision))
        if changed := summary.change_of(one):
            change = (one.spec.code.value, f"{name} change"[:MAX_MEANING], system)
            yield said("ST", change, f"{number}.3", changed)
    for number, reservation in enumerate(summary.reservations, start=len(summary.statements) + 1):
        yield _observation(_reservation(reservation, str(number)), made_by)
    yield said("TX", _CONCLUSION, "", lines(*summary.sentences))


def _probability(one: Statement, sub: str) -> dict[int, str]:
    spec = one.spec
    name = f"{class_title(spec)} probability"[:MAX_MEANING]
    return {
        2: "NM",
        3: coded(spec.code.value, name, system_of(spec.code)),
        4: f"{sub}.1",
        5: f"{stated_percent(one.probability):g}",
        6: _PERCENT,
        7: f"<{stated_percent(absent_below(spec)):g}" if spec.positive else "",
        8: _FLAGS[one.decision],
        11: UNVERIFIED,
    }


def _reservation(one: Reservation, sub: str) -> dict[int, str]:
    return {
        2: "NM",
        3: coded(one.code.value, one.code.meaning[:MAX_MEANING], system_of(one.code)),
        4: sub,
        5: f"{measured_percent(one.percent):.10g}",
        6: _PERCENT,
        11: UNVERIFIED,
    }


def _named(code: tuple[str, str, str], uid: str) -> tuple[str, ...]:
    """Name a DICOM object: no result, but a detail of the order."""
    return _observation({2: "HD", 3: coded(*code), 5: uid, 11: ORDER_DETAIL}, {})


def _maker(summary: ReportSummary) -> dict[int, str]:
    """Say by what an observation was made, and when: the model (Device UID), not this node."""
    model = summary.model
    device = f"{escaped(model.name)}^^{device_uid(model)}^ISO"
    return {17: coded(*_METHOD), 18: device, 19: message_time(summary.made_at)}


def _observation(fields: Mapping[int, str], made_by: Mapping[int, str]) -> tuple[str, ...]:
    """Put the fields of an OBX, from OBX-2 on, in their places."""
    return tuple(placed(19, {**fields, **made_by})[1:])
