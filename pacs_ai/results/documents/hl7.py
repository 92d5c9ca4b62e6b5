r"""The message: an HL7 v2.5.1 ORU^R01 for an interface engine to pass on.

Segments MSH, PID, OBR, OBX; separators ``|^~\&``, a carriage return ends a segment. The study is
named as IHE Radiology names it, by an OBX of type HD (RAD TF-2, 4.28).
"""

import textwrap
from collections.abc import Iterator
from datetime import datetime

from pydicom.dataset import Dataset
from pydicom.valuerep import PersonName

from pacs_ai.dicom.dates_times import date_of, date_text, time_of
from pacs_ai.dicom.reading import items, text, value_of
from pacs_ai.domain import Code, Decision, Reservation
from pacs_ai.results.common.codes import MAX_MEANING, class_title
from pacs_ai.results.common.context import MODEL_NAME
from pacs_ai.results.content.report_summary import ReportSummary, Statement
from pacs_ai.results.content.wording import absent_below, measured_percent, stated_percent

SUFFIX = ".hl7"

_ESCAPES = str.maketrans(
    {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"}
    | {"\r": "\\.br\\", "\n": "\\.br\\"}
)
_SYSTEMS = {"SCT": "SCT", "LN": "LN", "DCM": "DCM"}  # HL7 Table 0396; all others are local
_FLAGS = {Decision.PRESENT: "A", Decision.ABSENT: "N", Decision.UNDETERMINED: "IND", None: ""}
_SEXES = ("M", "F", "O")  # of HL7 Table 0001, what DICOM has too
_REPRESENTATIONS = ("A", "I", "P")  # HL7 Table 4000: as the groups of a DICOM name
_REPORT = ("18748-4", "Diagnostic Imaging Report", "LN")
_STUDY = ("113014", "DICOM Study", "DCM")
_MODEL = ("111001", "Algorithm Name", "DCM")
_CONCLUSION = ("19005-8", "Radiology Imaging study [Impression] (narrative)", "LN")
_PERCENT = "%^percent^UCUM"
_LEAP_SECOND = "60"
_MAX_CONTROL_ID = 20
_MAX_NAMESPACE = 20
_LINE = 120  # letters of a line of text
_NO_NAME = "^^^^^^U"  # PID-5 is required; HL7 Table 0200: unspecified


def build_message(summary: ReportSummary) -> bytes:
    """Write a report as an ORU^R01 message in UTF-8.

    Parameters
    ----------
    summary
        What it says.

    Returns
    -------
    bytes
        Segments, each with its carriage return; without the frame of MLLP.
    """
    segments = [_header(summary), _patient(summary.source), _request(summary)]
    segments += [
        _segment("OBX", str(number), *fields)
        for number, fields in enumerate(_observations(summary), start=1)
    ]
    return "".join(f"{segment}\r" for segment in segments).encode("utf-8")


def escaped(value: str) -> str:
    """Write text so that no letter of it is taken for a separator (HL7 v2.5.1 Section 2.7)."""
    return value.translate(_ESCAPES)


def _segment(name: str, *fields: str) -> str:
    return "|".join((name, *fields)).rstrip("|")


def _header(summary: ReportSummary) -> str:
    fields = ["^~\\&", "pacs-ai", "", "", "", message_time(summary.made_at), "", "ORU^R01^ORU_R01"]
    fields += [control_id(summary.uid), "P", "2.5.1", "", "", "", "", "", "UNICODE UTF-8"]
    return _segment("MSH", *fields)


def _patient(source: Dataset) -> str:
    identifier = f"{escaped(text(source, 'PatientID'))}^^^{_issuer(source)}^PI"
    birth = date_of(text(source, "PatientBirthDate"))
    sex = text(source, "PatientSex")
    return _segment(
        *("PID", "1", "", identifier, "", _names(source), ""),
        "" if birth is None else date_text(birth),
        sex if sex in _SEXES else "U",
    )


def _issuer(source: Dataset) -> str:
    """Write who gave the number (HD, HL7 v2.5.1 Section 2.A.33): a long name is a local id."""
    issuer = text(source, "IssuerOfPatientID")
    written = escaped(issuer)
    return written if len(issuer) <= _MAX_NAMESPACE else f"&{written}&L"


def _names(source: Dataset) -> str:
    """Write the name in all its representations (XPN, HL7 v2.5.1 Section 2.A.88)."""
    value = value_of(source, "PatientName")
    groups = str(value).split("=") if isinstance(value, PersonName) else []
    names = []
    for group, representation in zip(groups, _REPRESENTATIONS, strict=False):
        if not group.strip("^ "):
            continue
        parts = [escaped(part) for part in group.split("^")][:5]
        family, given, middle, prefix, suffix = parts + [""] * (5 - len(parts))
        names.append("^".join((family, given, middle, suffix, prefix, "", "L", representation)))
    return "~".join(names) or _NO_NAME


def _lines(*paragraphs: str) -> str:
    """Write text as lines: each repetition of a TX is one (HL7 v2.5.1 Section 2.A.78)."""
    lines = [line for one in paragraphs for line in textwrap.wrap(one, _LINE)]
    return "~".join(escaped(line) for line in lines)


def _request(summary: ReportSummary) -> str:
    source = summary.source
    order = next(iter(items(source, "RequestAttributesSequence")), Dataset())
    placer = text(order, "PlacerOrderNumberImagingServiceRequest")
    filler = text(order, "FillerOrderNumberImagingServiceRequest") or summary.order
    accession = text(order, "AccessionNumber") or text(source, "AccessionNumber")
    observed = _dicom_time(source)
    fields = [""] * 25
    fields[0] = "1"
    fields[1], fields[2] = escaped(placer), escaped(filler)
    fields[3] = _coded(*_REPORT)
    fields[6] = observed
    fields[17] = escaped(accession)
    fields[21] = message_time(summary.made_at)
    fields[23] = "RAD"
    fields[24] = _result_status(summary)
    return _segment("OBR", *fields)


def _result_status(summary: ReportSummary) -> str:
    """Return the status of the whole (OBR-25, HL7 Table 0123).

    Nothing is final (F) that nobody has verified. So the observations stay preliminary, too, when a
    message corrects another one.
    """
    if summary.reason:
        return "X"
    return "C" if summary.corrects_message else "P"


def _observations(summary: ReportSummary) -> Iterator[tuple[str, ...]]:
    status = "X" if summary.reason else "P"
    model = summary.model
    yield _observation("HD", _STUDY, "", text(summary.source, "StudyInstanceUID"), status="O")
    named = f"{model.name} {model.version} by {model.manufacturer}, weights {model.sha256[:12]}"
    yield _observation("TX", _MODEL, "", _lines(named), status=status)
    for number, one in enumerate(summary.statements, start=1):
        yield _probability(one, str(number))
        if one.decision is not None:
            coded = (one.spec.code.value, class_title(one.spec), _system(one.spec.code))
            yield _observation("ST", coded, f"{number}.2", str(one.decision), status=status)
        if changed := summary.change_of(one):
            name = (one.spec.code.value, f"{class_title(one.spec)} change"[:MAX_MEANING])
            coded = (*name, _system(one.spec.code))
            yield _observation("ST", coded, f"{number}.3", changed, status=status)
    for number, reservation in enumerate(summary.reservations, start=len(summary.statements) + 1):
        yield _reservation(reservation, str(number))
    yield _observation("TX", _CONCLUSION, "", _lines(*summary.sentences), status=status)


def _probability(one: Statement, sub: str) -> tuple[str, ...]:
    spec = one.spec
    name = f"{class_title(spec)} probability"[:MAX_MEANING]
    return _observation(
        "NM",
        (spec.code.value, name, _system(spec.code)),
        f"{sub}.1",
        f"{stated_percent(one.probability):g}",
        units=_PERCENT,
        limit=f"<{stated_percent(absent_below(spec)):g}" if spec.positive else "",
        flag=_FLAGS[one.decision],
        status="P",
    )


def _reservation(one: Reservation, sub: str) -> tuple[str, ...]:
    name = (one.code.value, one.code.meaning[:MAX_MEANING], _system(one.code))
    value = f"{measured_percent(one.percent):.10g}"
    return _observation("NM", name, sub, value, units=_PERCENT, status="P")


def _observation(
    kind: str,
    code: tuple[str, str, str],
    sub: str,
    value: str,
    *,
    units: str = "",
    limit: str = "",
    flag: str = "",
    status: str,
) -> tuple[str, ...]:
    fields = (kind, _coded(*code), sub, value, units, limit, flag, "", "", status)
    return (*fields, "", "", "", "", "", "", escaped(MODEL_NAME))


def _coded(value: str, meaning: str, system: str) -> str:
    return "^".join(escaped(part) for part in (value, meaning, system))


def _system(code: Code) -> str:
    return _SYSTEMS.get(code.scheme, "99" + code.scheme.removeprefix("99"))


def control_id(uid: str) -> str:
    """Return the control id (MSH-10) of the message with a UID."""
    return uid.rpartition(".")[2][-_MAX_CONTROL_ID:]


def message_time(moment: datetime) -> str:
    """Write a moment as HL7 does (TS, HL7 v2.5.1 Section 2.A.77)."""
    return moment.strftime("%Y%m%d%H%M%S%z")


def _dicom_time(source: Dataset) -> str:
    """Write the study's date, and its time as far as it goes; HL7 has no hour without minutes."""
    day = date_of(text(source, "StudyDate"))
    if day is None:
        return ""
    time = time_of(text(source, "StudyTime")).partition(".")[0]
    if time[4:] == _LEAP_SECOND:  # which HL7 does not have
        time = time[:4]
    return date_text(day) + (time if len(time) in (4, 6) else "")
