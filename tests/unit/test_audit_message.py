"""The form of audit messages: PS3.15 Section A.5.1."""

from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from pacs_ai.audit_message import (
    APPLICATION,
    AuditMessage,
    Code,
    Participant,
    patient_subject,
    study_subject,
)

AT = datetime(2026, 1, 2, 3, 4, 5, 678900, UTC)
TRANSFERRED = Code("110104", "DCM", "DICOM Instances Transferred")


def message(**changes: object) -> ET.Element:
    values = {
        "event": TRANSFERRED,
        "action": "C",
        "at": AT,
        "node": "node",
        "participants": (
            Participant("CT1", requestor=True, title="CT1", address="192.0.2.7"),
            Participant("node", requestor=False, role=APPLICATION, address="ai.example.org"),
        ),
        "subjects": (patient_subject("ab12"), study_subject("1.2", "s", {"a": "b"}, {"1.3": 4})),
        **changes,
    }
    made = AuditMessage(**values)  # type: ignore[arg-type]
    return ET.fromstring(made.xml())  # noqa: S314 - our own


def test_the_order_and_the_names_are_those_of_the_schema() -> None:
    found = message(description="it went well")
    assert [child.tag for child in found] == [
        "EventIdentification",
        "ActiveParticipant",
        "ActiveParticipant",
        "AuditSourceIdentification",
        "ParticipantObjectIdentification",
        "ParticipantObjectIdentification",
    ]
    assert found[0].attrib == {
        "EventActionCode": "C",
        "EventDateTime": "2026-01-02T03:04:05.678Z",
        "EventOutcomeIndicator": "0",
    }
    assert [child.tag for child in found[0]] == ["EventID", "EventOutcomeDescription"]
    assert found[0][0].attrib == {
        "csd-code": "110104",
        "codeSystemName": "DCM",
        "originalText": "DICOM Instances Transferred",
    }
    study = found[5]
    assert [child.tag for child in study] == [
        "ParticipantObjectIDTypeCode",
        "ParticipantObjectName",
        "ParticipantObjectDetail",
        "SOPClass",
    ]
    assert study[3].attrib == {"UID": "1.3", "NumberOfInstances": "4"}
    assert study[2].attrib == {"type": "a", "value": "Yg=="}


def test_addresses_say_whether_they_are_names() -> None:
    kinds = [one.get("NetworkAccessPointTypeCode") for one in message().iter("ActiveParticipant")]
    assert kinds == ["2", "1"]
    six = message(participants=(Participant("x", requestor=True, address="fe80::1"),))
    assert six[1].get("NetworkAccessPointTypeCode") == "2"


def test_what_xml_cannot_hold_does_not_break_it() -> None:
    found = message(description='<&"\x00\x1b\ud800>', node="a\x01<b")
    assert found.findtext("EventIdentification/EventOutcomeDescription") == '<&"???>'
    source = found.find("AuditSourceIdentification")
    assert source is not None
    assert source.get("AuditSourceID") == "a?<b"
