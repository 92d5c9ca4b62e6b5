"""``pacs-ai audit`` and ``pacs-ai evidence`` on a node with a study."""

import getpass
import json
import zipfile

import sqlalchemy as sa

from tests.unit.cli.conftest import Installation


def test_the_ledger_is_listed(node: Installation) -> None:
    node.study_with_result()
    lines = json.loads(node.pacs_ai("audit", "list", "--json").out)
    assert lines[0]["type"] == "delivery SENDING to STORED"
    assert lines[-1]["type"] == "study RECEIVING"
    answer = node.pacs_ai("audit", "list", "--study", "1", "--limit", "1", "--xml")
    assert answer.out.startswith("<AuditMessage><EventIdentification ")
    assert "number" in node.pacs_ai("audit", "list").out


def test_what_an_operator_does_names_the_account(node: Installation) -> None:
    number = node.failed_delivery()
    assert node.pacs_ai("deliveries", "retry", number).code == 0
    lines = json.loads(node.pacs_ai("audit", "list", "--json").out)
    (line,) = (one for one in lines if one["description"] == "retry")
    assert (line["user"], line["study"]) == (getpass.getuser(), 1)
    assert node.pacs_ai("studies", "show", "1").code == 0
    (line,) = json.loads(
        node.pacs_ai("audit", "list", "--study", "1", "--limit", "1", "--json").out
    )
    assert (line["event"], line["description"]) == ("DICOM Instances Accessed", "shown")


def test_a_changed_ledger_ends_with_1(node: Installation) -> None:
    node.study_with_result()
    assert node.pacs_ai("audit", "list").code == 0
    assert node.pacs_ai("audit", "verify").code == 0
    found = json.loads(node.pacs_ai("audit", "verify", "--json").out)
    assert found["problems"] == []
    with node.database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE ledger SET message = message || ' ' WHERE number = 2"))
    answer = node.pacs_ai("audit", "verify")
    assert answer.code == 1
    assert answer.err.startswith("pacs-ai: LEDGER_ALTERED: line 2 was altered")


def test_the_evidence_of_a_study_is_written_without_naming_the_command(node: Installation) -> None:
    node.study_with_result()
    answer = node.pacs_ai("evidence", "1")
    assert (answer.code, answer.out) == (0, "evidence-1.zip\n"), answer.err
    with zipfile.ZipFile(node.folder / "evidence-1.zip") as archive:
        content = json.loads(archive.read("evidence.json"))
    assert content["jobs"][0]["summary"] == "Lesion 0.930, No finding 0.070"
    answer = node.pacs_ai("evidence", "verify", "evidence-1.zip", "--json")
    assert answer.code == 1  # the rows are made up: there is neither an image nor the model
    checks = {check["name"]: check["ok"] for check in json.loads(answer.out)}
    assert checks == {"archive": True, "ledger": True, "results": True, "images": False}
    assert "CORRUPTED" in answer.err


def test_a_study_that_is_not_there(node: Installation) -> None:
    answer = node.pacs_ai("evidence", "77", "--with-images")
    assert (answer.code, "no study 77" in answer.err) == (1, True)
    assert "Usage" in node.pacs_ai("evidence", "--help").out
