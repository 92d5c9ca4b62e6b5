"""The ledger says who has searched an archive, asked it for studies, and what it has sent."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
import sqlalchemy as sa

from pacs_ai.flow.audit.seal import Sealer
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.pulls import cancel_pulls, pull_studies, search_studies
from tests.unit.flow.pulling import GOOD, STUDY, Archive, one_after_the_other
from tests.unit.flow.test_ledger import messages
from tests.web_peer import Answer, web_peer

WHERE = {"StudyDate": "20240101-20241231", "PatientName": "NAME^OF"}


def lines(context: FlowContext) -> list[ET.Element]:
    Sealer(context, "node").all()
    return messages(context)


def event(line: ET.Element) -> tuple[str | None, str | None, str | None]:
    """Return code of the event, code of its kind here, and outcome."""
    identification, code = line.find("EventIdentification"), line.find(".//EventID")
    assert identification is not None
    assert code is not None
    kind = line.findall(".//EventTypeCode")[-1].get("csd-code")
    return code.get("csd-code"), kind, identification.get("EventOutcomeIndicator")


def people(line: ET.Element) -> list[tuple[str | None, str | None, str | None]]:
    """Return name, role and address of everybody who took part."""
    found = []
    for one in line.findall("ActiveParticipant"):
        role = one.find("RoleIDCode")
        shown = None if role is None else role.get("originalText")
        found.append((one.get("UserID"), shown, one.get("NetworkAccessPointID")))
    return found


def subjects(line: ET.Element) -> list[str | None]:
    ids = line.iter("ParticipantObjectIdentification")
    return [one.get("ParticipantObjectID") for one in ids]


ARCHIVE = "archive", "Destination Role ID", "127.0.0.1"


def test_a_search_is_told_without_what_was_looked_for(context: FlowContext) -> None:
    with web_peer(lambda _: Answer(204)) as peer:
        archive = Archive(context, peer.url)
        search_studies(replace(archive.node, user="alice"), "archive", WHERE)
    [line] = lines(archive.node)
    assert event(line) == ("110112", "query ASKED", "0")
    assert people(line) == [("alice", None, None), ("node", "Application", None), ARCHIVE]
    text = ET.tostring(line, "unicode")
    assert "search for studies by PatientName, StudyDate" in text
    assert "NAME" not in text
    assert "2024" not in text.replace(line[0].get("EventDateTime") or "", "")


def test_what_an_archive_has_sent_is_told_with_who_has_asked_for_it(context: FlowContext) -> None:
    with web_peer(one_after_the_other(GOOD, Answer(404), GOOD)) as peer:
        archive = Archive(context, peer.url)
        pull_studies(replace(archive.node, user="alice"), "archive", [STUDY, "1.2.3"])
        archive.sweep()
        archive.ask("1.2.4")
        cancel_pulls(replace(archive.node, user="bob"))
        archive.sweep()
        told = [one for one in lines(archive.node) if not event(one)[1].startswith("study")]
    asked, sent, failed, again, cancelled = told
    assert event(asked) == ("110112", "retrieval ASKED", "0")
    assert people(asked)[0][0] == "alice"
    assert people(asked)[-1] == ARCHIVE
    assert event(sent) == ("110104", "pull DONE", "0")
    way = [("archive", "Source Role ID", "127.0.0.1"), ("node", "Destination Role ID", None)]
    assert people(sent) == [("alice", None, None), *way]
    with archive.node.database.read() as session:
        patient = session.scalar(sa.text("SELECT patient_key FROM study"))
    assert subjects(sent) == [patient, STUDY]
    assert event(failed) == ("110104", "pull FAILED", "8")
    assert subjects(failed) == ["1.2.3"]
    assert event(again)[1] == "retrieval ASKED"
    assert event(cancelled) == ("110112", "retrieval CANCELLED", "0")
    assert people(cancelled)[0][0] == "bob"


@pytest.mark.parametrize("found", ["a study of the patient", "none"])
def test_a_study_that_was_cancelled_on_its_way_is_told(context: FlowContext, found: str) -> None:
    def respond(_: object) -> Answer:
        cancel_pulls(replace(archive.node, user="bob"))
        return GOOD if found != "none" else Answer(404)

    with web_peer(respond) as peer:
        archive = Archive(context, peer.url)
        archive.ask(STUDY)
        archive.sweep()
    [line] = [one for one in lines(archive.node) if event(one)[1] == "pull CANCELLED"]
    assert event(line) == ("110104", "pull CANCELLED", "4")
    assert people(line)[0][0] == "bob"
    assert subjects(line)[-1] == STUDY
