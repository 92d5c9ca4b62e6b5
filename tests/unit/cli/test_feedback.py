"""`pacs-ai feedback`: add, list, concordance, export."""

import json

from pacs_ai.store.schema import Job
from tests.unit.cli.conftest import Installation
from tests.unit.flow.feedback_rows import findings_of
from tests.unit.store.samples import NOW


def judged(node: Installation) -> str:
    """A job that found a lesion."""
    job_id = node.study_with_result()
    with node.database.write("test", NOW) as transaction:
        transaction.get_one(Job, job_id).findings = findings_of({"Lesion": "present"})
    return job_id


def test_what_is_said_is_listed_and_counted(node: Installation):
    job = judged(node)
    assert node.pacs_ai("feedback", "list").err.strip() == "no feedback"
    said = node.pacs_ai("feedback", "add", job[:8], "modify", "--label", "Lesion=absent")
    assert said.out.strip() == "modify: result 2.25.1 of demo 1"
    [record] = json.loads(node.pacs_ai("feedback", "list", "--json").out)
    assert (record["job"], record["labels"], record["source"]) == (job, {"Lesion": "absent"}, "cli")
    assert record["user"]
    again = node.pacs_ai("feedback", "add", "2.25.1", "accept", "--json")
    assert json.loads(again.out)["kind"] == "accept"
    listed = node.pacs_ai("feedback", "list").out
    assert "modify (replaced)" in listed
    shown = node.pacs_ai("feedback", "concordance").out
    assert "whole result" in shown
    assert "1/1" in shown
    whole, lesion = json.loads(node.pacs_ai("feedback", "concordance", "--json").out)
    assert (whole["agreed"], lesion["finding"], lesion["share"]) == (1, "Lesion", 1.0)


def test_labels_are_written_for_the_training(node: Installation):
    job = judged(node)
    node.pacs_ai("feedback", "add", job, "accept")
    file = node.folder / "labels.csv"
    assert node.pacs_ai("feedback", "export", str(file)).out.strip().endswith("labels of 1 studies")
    assert file.read_text() == "StudyInstanceUID,Lesion,No finding\n1.2.3,1,0\n"


def test_what_cannot_be_read_is_a_fault_of_usage(node: Installation):
    job = judged(node)
    assert node.pacs_ai("feedback", "add", job, "praise").code == 2
    for text in ("Lesion", "=absent", "Lesion=maybe"):
        answer = node.pacs_ai("feedback", "add", job, "modify", "--label", text)
        assert (answer.code, "--label" in answer.err) == (2, True)
    answer = node.pacs_ai("feedback", "add", job, "modify", "--label", "Mass=absent")
    assert (answer.code, "It decides upon Lesion" in answer.err) == (1, True)
