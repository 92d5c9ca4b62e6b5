r"""The message: an HL7 v2.5.1 ORU^R01 in the form of IHE Radiology, Send Imaging Result [RAD-128].

Segments MSH, PID, PV1, ORC, OBR, TQ1, OBX; separators ``|^~\&``, a carriage return ends a segment.
The study is named by an OBX with (113014, DCM), as in RAD-128, of type HD, as UIDs are in RAD-28.
"""

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.valuerep import PersonName

from pacs_ai.dicom.dates_times import date_of, date_text
from pacs_ai.dicom.reading import items, text, value_of
from pacs_ai.domain import Code
from pacs_ai.results.content.report_summary import ReportSummary
from pacs_ai.results.documents.hl7_fields import (
    CORRECTION,
    NO_RESULT,
    UNVERIFIED,
    coded,
    control_id,
    escaped,
    message_time,
    placed,
    segment,
    study_time,
    system_of,
)
from pacs_ai.results.documents.hl7_observations import observations

SUFFIX = ".hl7"

_SEXES = ("M", "F", "O")  # of HL7 Table 0001, what DICOM has too
_REPRESENTATIONS = ("A", "I", "P")  # HL7 Table 4000: as the groups of a DICOM name
_REPORT = ("18748-4", "Diagnostic Imaging Report", "LN")
_MAX_NAMESPACE = 20
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
    source = summary.source
    orders = _orders(summary)
    segments = [_header(summary), _patient(source), _visit(source), segment("ORC", "RE", *orders)]
    segments += [_request(summary, orders), *_timing(source)]
    segments += [
        segment("OBX", str(number), *fields)
        for number, fields in enumerate(observations(summary), start=1)
    ]
    return "".join(f"{one}\r" for one in segments).encode("utf-8")


def _header(summary: ReportSummary) -> str:
    fields = ["^~\\&", "pacs-ai", "", "", "", message_time(summary.made_at), "", "ORU^R01^ORU_R01"]
    fields += [control_id(summary.uid), "P", "2.5.1", "", "", "", "", "", "UNICODE UTF-8"]
    return segment("MSH", *fields)


def _patient(source: Dataset) -> str:
    identifier = f"{escaped(text(source, 'PatientID'))}^^^{_issuer(source)}^PI"
    birth = date_of(text(source, "PatientBirthDate"))
    sex = text(source, "PatientSex")
    return segment(
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


def _visit(source: Dataset) -> str:
    """Write the visit (PV1): required by RAD-128; the class of the patient is unknown (U)."""
    admission = escaped(text(source, "AdmissionID"))
    return segment("PV1", *placed(51, {2: "U", 19: admission, 51: "V" if admission else ""}))


def _orders(summary: ReportSummary) -> tuple[str, str]:
    """Return the order numbers of placer and filler; each revision has the same."""
    order = _order(summary.source)
    placer = text(order, "PlacerOrderNumberImagingServiceRequest")
    filler = text(order, "FillerOrderNumberImagingServiceRequest") or summary.order
    return escaped(placer), escaped(filler)


def _order(source: Dataset) -> Dataset:
    return next(iter(items(source, "RequestAttributesSequence")), Dataset())


def _timing(source: Dataset) -> Iterator[str]:
    """Write when the procedure began (TQ1), if this is known."""
    if observed := study_time(source):
        yield segment("TQ1", "1", *placed(6, {6: observed}))


def _request(summary: ReportSummary, orders: tuple[str, str]) -> str:
    source = summary.source
    order = _order(source)
    accession = text(order, "AccessionNumber") or text(source, "AccessionNumber")
    procedure = _procedure(source)
    reason = text(order, "ReasonForTheRequestedProcedure") or text(
        source, "AdmittingDiagnosesDescription"
    )
    fields = {
        1: "1",
        2: orders[0],
        3: orders[1],
        4: "^".join(filter(None, (procedure, coded(*_REPORT)))),
        7: study_time(source),
        18: escaped(accession),
        22: message_time(summary.made_at),
        24: "RAD",
        25: _result_status(summary),
        31: f"^{escaped(reason)}" if reason else "",
        44: procedure or coded(*_REPORT),
    }
    return segment("OBR", *placed(44, fields))


def _procedure(source: Dataset) -> str:
    """Write the code of the imaging procedure, as the images or their order state it; "" if none.

    RAD-128 wants it in OBR-4, and again in OBR-44. What the message is comes second in OBR-4.
    """
    codes = items(source, "ProcedureCodeSequence")
    codes += items(_order(source), "RequestedProcedureCodeSequence")
    for code in codes:
        value, scheme = text(code, "CodeValue"), text(code, "CodingSchemeDesignator")
        if value and scheme:
            named = Code(value, scheme, text(code, "CodeMeaning"))
            return coded(value, named.meaning, system_of(named))
    return ""


def _result_status(summary: ReportSummary) -> str:
    """Return the status of the whole (OBR-25, HL7 Table 0123).

    Nothing is final (F) or preliminary (P) that nobody has verified. So the observations stay
    unverified, too, when a message corrects another one.
    """
    if summary.reason:
        return NO_RESULT
    return CORRECTION if summary.corrects_message else UNVERIFIED
