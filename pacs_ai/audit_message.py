"""Audit messages as DICOM has them: XML (PS3.15 Section A.5.1)."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

DCM = "DCM"
LOCAL = "99PACSAI"

Action = Literal["C", "R", "U", "D", "E"]
Outcome = Literal[0, 4, 8, 12]
"""Success, minor failure, serious failure, major failure."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_IP, _NAME = "2", "1"


@dataclass(frozen=True, slots=True)
class Code:
    """A coded value: its code, its coding scheme and its meaning."""

    value: str
    scheme: str
    meaning: str

    def xml(self, name: str) -> str:
        """Write it as an empty element."""
        return (
            f"<{name} csd-code={_quoted(self.value)} codeSystemName={_quoted(self.scheme)}"
            f" originalText={_quoted(self.meaning)}/>"
        )


SOURCE = Code("110153", DCM, "Source Role ID")
DESTINATION = Code("110152", DCM, "Destination Role ID")
APPLICATION = Code("110150", DCM, "Application")
LAUNCHER = Code("110151", DCM, "Application Launcher")

_STUDY = Code("110180", DCM, "Study Instance UID")
_PATIENT = Code("2", "RFC-3881", "Patient Number")
_SERVER = Code("4", DCM, "Application Server Process or Thread")


@dataclass(frozen=True, slots=True)
class Participant:
    """Who took part: a person, an application, or a process.

    ``address`` is an IP address or a host name, ``name`` that of a person, ``title`` an AE title.
    """

    user_id: str
    requestor: bool
    role: Code | None = None
    name: str = ""
    title: str = ""
    address: str = ""

    def xml(self) -> str:
        """Write it as an element."""
        said = {
            "UserID": self.user_id,
            "AlternativeUserID": f"AETITLES={self.title}" if self.title else "",
            "UserName": self.name,
            "UserIsRequestor": "true" if self.requestor else "false",
            "NetworkAccessPointID": self.address,
            "NetworkAccessPointTypeCode": _kind_of(self.address),
        }
        written = "".join(f" {name}={_quoted(value)}" for name, value in said.items() if value)
        role = self.role.xml("RoleIDCode") if self.role else ""
        return f"<ActiveParticipant{written}>{role}</ActiveParticipant>"


@dataclass(frozen=True, slots=True)
class Subject:
    """What it was about: a study, a patient or something else.

    ``kind`` and ``role`` are Participant Object Type Code and its Role (RFC 3881 Section 5.5).
    ``details`` are pairs of a name and a text; ``instances`` has the number of instances of each
    SOP class.
    """

    id: str
    id_type: Code
    kind: str
    role: str
    name: str
    details: Mapping[str, str] = field(default_factory=dict)
    instances: Mapping[str, int] = field(default_factory=dict)

    def xml(self) -> str:
        """Write it as an element."""
        details = "".join(
            f"<ParticipantObjectDetail type={_quoted(name)} value={_quoted(_encoded(text))}/>"
            for name, text in self.details.items()
        )
        classes = "".join(
            f'<SOPClass UID={_quoted(uid)} NumberOfInstances="{count}"/>'
            for uid, count in self.instances.items()
        )
        return (
            f"<ParticipantObjectIdentification ParticipantObjectID={_quoted(self.id)}"
            f' ParticipantObjectTypeCode="{self.kind}" ParticipantObjectTypeCodeRole="{self.role}">'
            f"{self.id_type.xml('ParticipantObjectIDTypeCode')}"
            f"<ParticipantObjectName>{_plain(self.name)}</ParticipantObjectName>"
            f"{details}{classes}</ParticipantObjectIdentification>"
        )


def study_subject(
    uid: str, name: str, details: Mapping[str, str], instances: Mapping[str, int]
) -> Subject:
    """Describe a study."""
    return Subject(uid, _STUDY, "2", "3", name, details, instances)


def patient_subject(patient: str) -> Subject:
    """Describe a patient by whatever stands for them."""
    return Subject(patient, _PATIENT, "1", "1", "")


@dataclass(frozen=True, slots=True)
class AuditMessage:
    """One message; ``node`` is the audit source, ``at`` the UTC time of the event."""

    event: Code
    action: Action
    at: datetime
    node: str
    participants: tuple[Participant, ...]
    outcome: Outcome = 0
    types: tuple[Code, ...] = ()
    description: str = ""
    subjects: tuple[Subject, ...] = ()

    def xml(self) -> str:
        """Write the message as one line."""
        moment = f"{self.at:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
        types = "".join(code.xml("EventTypeCode") for code in self.types)
        said = f"<EventOutcomeDescription>{_plain(self.description)}</EventOutcomeDescription>"
        return (
            "<AuditMessage>"
            f'<EventIdentification EventActionCode="{self.action}" EventDateTime="{moment}"'
            f' EventOutcomeIndicator="{self.outcome}">{self.event.xml("EventID")}{types}'
            f"{said if self.description else ''}</EventIdentification>"
            f"{''.join(one.xml() for one in self.participants)}"
            f"<AuditSourceIdentification AuditSourceID={_quoted(self.node)}>"
            f"{_SERVER.xml('AuditSourceTypeCode')}</AuditSourceIdentification>"
            f"{''.join(one.xml() for one in self.subjects)}</AuditMessage>"
        )


def _kind_of(address: str) -> str:
    """Return the type of a network access point: an IP address, or the name of a machine."""
    if not address:
        return ""
    return _IP if re.fullmatch(r"[0-9.]+|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*", address) else _NAME


def _quoted(text: str) -> str:
    return quoteattr(_NOT_XML.sub("?", text))


def _plain(text: str) -> str:
    return escape(_NOT_XML.sub("?", text))


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
