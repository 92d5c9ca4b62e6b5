"""Messages and bundles that withdraw those sent before: the same content, marked as wrong.

They are made of the file that was sent: it names what the receiver has stored.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pacs_ai.domain import ResultKind
from pacs_ai.errors import InvalidResult
from pacs_ai.results.documents.fhir_terms import instant, uid_identifier
from pacs_ai.results.documents.hl7_fields import control_id, escaped, message_time
from pacs_ai.withdrawal_kinds import Notice

_WRONG_PATIENT, _DELETED = "W", "D"
"""Observation Result Status (HL7 Table 0085): posted as wrong, and deleted."""
_CORRECTION = "C"
"""Result Status (HL7 Table 0123): correction of results."""
_ORDER_DETAIL = "O"
"""Observation Result Status of what is no result."""
_TIME, _CONTROL_ID, _CHANGED, _RESULT_STATUS, _OBSERVATION_STATUS = 6, 9, 22, 25, 11
"""Places of MSH-7, MSH-10, OBR-22, OBR-25 and OBX-11 in the fields of their segments."""
_ERROR = "entered-in-error"


@dataclass(frozen=True, slots=True)
class DocumentWithdrawal:
    """What a withdrawn document says besides the old one.

    Parameters
    ----------
    why
        As for a rejection note.
    wrong_patient
        Whether the old one was posted to the wrong patient.
    uid
        Of the new document.
    at
        When it is made, with a time zone.
    """

    why: str
    wrong_patient: bool
    uid: str
    at: datetime


def withdraw_document(kind: str, content: bytes, said: DocumentWithdrawal) -> bytes:
    """Make the document that withdraws another one.

    Parameters
    ----------
    kind
        ``hl7`` or ``fhir``.
    content
        The document that was sent.

    Raises
    ------
    InvalidResult
        If the content is not a document of ours.
    """
    try:
        return _WRITERS[ResultKind(kind)](content, said)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InvalidResult(f"a {kind} document cannot be read ({type(error).__name__})") from error


def notice_kind(kind: str) -> Notice:
    """Return the kind of the notice that withdraws a document."""
    return Notice.HL7 if kind == ResultKind.HL7 else Notice.FHIR


def _message(content: bytes, said: DocumentWithdrawal) -> bytes:
    status = _WRONG_PATIENT if said.wrong_patient else _DELETED
    segments = []
    for segment in filter(None, content.decode("utf-8").split("\r")):
        fields = segment.split("|")
        if fields[0] == "MSH":
            fields[_TIME], fields[_CONTROL_ID] = message_time(said.at), control_id(said.uid)
        elif fields[0] == "OBR":
            fields[_CHANGED], fields[_RESULT_STATUS] = message_time(said.at), _CORRECTION
        elif fields[0] == "OBX" and fields[_OBSERVATION_STATUS] != _ORDER_DETAIL:
            fields[_OBSERVATION_STATUS] = status
        segments.append("|".join(fields))
        if fields[0] == "OBR":
            segments.append(f"NTE|1||{escaped(said.why)}")
    return "".join(f"{segment}\r" for segment in segments).encode("utf-8")


def _bundle(content: bytes, said: DocumentWithdrawal) -> bytes:
    bundle: dict[str, Any] = json.loads(content)
    bundle["identifier"] = uid_identifier(said.uid)
    bundle["timestamp"] = instant(said.at)
    for entry in bundle["entry"]:
        resource: dict[str, Any] = entry["resource"]
        if resource["resourceType"] == "DiagnosticReport":
            resource |= {"status": _ERROR, "issued": instant(said.at), "conclusion": said.why}
            resource.pop("conclusionCode", None)
        elif resource["resourceType"] == "Observation":
            resource["status"] = _ERROR
            resource["note"] = [{"text": said.why}, *resource.get("note", [])]
        elif resource["resourceType"] == "DocumentReference":
            resource |= {"status": _ERROR, "docStatus": _ERROR}
    return (json.dumps(bundle, ensure_ascii=False, indent=2) + "\n").encode("utf-8")


_WRITERS: Mapping[ResultKind, Callable[[bytes, DocumentWithdrawal], bytes]] = {
    ResultKind.HL7: _message,
    ResultKind.FHIR: _bundle,
}
