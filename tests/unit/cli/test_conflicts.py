"""A person says whose study it is, or removes it."""

import io
import json
from pathlib import Path

import pytest

from pacs_ai.domain import DeliveryState, JobState, StudyState
from pacs_ai.store import admission, instances, jobs
from pacs_ai.store.schema import Delivery, Event, Instance, Job, Result, Study, Variant
from tests.unit.cli.conftest import Installation
from tests.unit.store.samples import NOW, add_instance, arrival, routed_job, sender


def conflict(node: Installation, *patients: str) -> None:
    """One instance that came for each patient, the first one first."""
    with node.database.write("test", NOW) as transaction:
        add_instance(transaction, arrival(1), sender("p1"))
        row = transaction.get_one(Instance, 1)
        for number, patient in enumerate(patients, start=2):
            aside = instances.SetAside("1.2.840.10008.1.2", f"node/variants/{number}.dcm", 9, "c")
            admission.set_aside(transaction, row, aside, sender(patient, calling="RIS"))


def test_without_a_choice_all_are_shown_and_nothing_is_done(node: Installation):
    conflict(node, "p2")
    answer = node.pacs_ai("studies", "resolve", "1")
    assert answer.code == 1
    assert "--keep" in answer.err
    assert "archive" in answer.err
    titles, first, corrected = answer.out.splitlines()
    assert titles.split()[:2] == ["keep", "in"]
    assert first.split()[:4] == ["first", "yes", "1", "MODALITY"]
    assert corrected.split()[:4] == ["corrected", "no", "1", "RIS"]
    assert corrected.split()[-1] == "PatientID"
    assert node.study().state == StudyState.CONFLICT
    (shown,) = json.loads(node.pacs_ai("studies", "show", "1", "--json").out)
    assert [one["keep"] for one in shown["patients"]] == ["first", "corrected"]


@pytest.mark.parametrize(
    ("keep", "patient", "path", "correction"),
    [
        ("first", "p1", "node/instances/aa/1.dcm", 0),
        ("corrected", "p2", "node/variants/2.dcm", 1),
        ("2", "p2", "node/variants/2.dcm", 1),
    ],
)
def test_the_file_that_is_right_becomes_the_instance(
    node: Installation, keep: str, patient: str, path: str, correction: int
):
    conflict(node, "p2")
    assert node.pacs_ai("studies", "resolve", "1", "--keep", keep).code == 0
    study = node.study()
    assert (study.state, study.revision) == (StudyState.COMPLETE, 2)
    assert (study.patient_key, study.correction) == (patient, correction)
    with node.database.read() as session:
        paths = [session.get_one(Instance, 1).path, session.get_one(Variant, 1).path]
    assert paths[0] == path
    assert sorted(paths) == ["node/instances/aa/1.dcm", "node/variants/2.dcm"]


def test_of_three_patients_each_can_be_chosen(node: Installation):
    conflict(node, "p2", "p3")
    assert node.pacs_ai("studies", "resolve", "1", "--keep", "4").code == 1
    assert node.pacs_ai("studies", "resolve", "1", "--keep", "corrected").code == 0
    assert node.study().patient_key == "p3"


def test_a_patient_whom_no_file_names_cannot_be_chosen(node: Installation):
    with node.database.write("test", NOW) as transaction:
        add_instance(transaction, arrival(1), sender("p1"))
        admission.refused(transaction, transaction.get_one(Instance, 1), sender("p2"))
    answer = node.pacs_ai("studies", "resolve", "1", "--keep", "corrected")
    assert answer.code == 1
    assert "no stored file" in answer.err
    assert node.study().state == StudyState.CONFLICT


def test_a_job_made_before_a_correction_is_not_retried(node: Installation):
    job = node.rejected_job()
    with node.database.write("test", NOW) as transaction:
        transaction.get_one(Study, 1).correction = 1
    answer = node.pacs_ai("jobs", "retry", job)
    assert answer.code == 1
    assert "reroute" in answer.err


def test_a_study_is_deleted_with_all_that_was_made_of_it(node: Installation):
    node.study_with_result()
    with node.database.read() as session:
        paths = [row.path for row in (*session.query(Instance), *session.query(Result))]
    spool = Path(node.folder) / "var" / "spool"
    for path in paths:
        (spool / path).parent.mkdir(parents=True, exist_ok=True)
        (spool / path).write_bytes(b"x")
    answer = node.pacs_ai("studies", "delete", "1.2.3", "--yes")
    assert answer.code == 0, answer.err
    assert "1 results of it stay" in answer.out
    assert not [path for path in paths if (spool / path).exists()]
    with node.database.read() as session:
        for table in (Instance, Job, Result, Delivery):
            assert session.query(table).count() == 0
        (line,) = session.query(Event).filter_by(to_state="DELETED")
    assert line.actor == "operator"
    assert node.pacs_ai("studies", "list", "--json").out == "[]\n"
    assert len(json.loads(node.pacs_ai("studies", "list", "--json", "--state", "deleted").out)) == 1


def test_nothing_is_deleted_without_a_yes(node: Installation, monkeypatch: pytest.MonkeyPatch):
    node.study_with_result()
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert node.pacs_ai("studies", "delete", "1").code != 0
    assert node.study().state == StudyState.ROUTED


def test_a_study_sent_again_after_deletion_begins_anew(node: Installation):
    node.study_with_result()
    assert node.pacs_ai("studies", "delete", "1", "--yes").code == 0
    with node.database.write("test", NOW) as transaction:
        study = add_instance(transaction, arrival(1), sender("p1"))
        assert (study.state, study.correction) == (StudyState.RECEIVING, 0)


def test_under_another_patient_it_is_no_conflict_and_its_results_get_other_uids(
    node: Installation,
):
    node.study_with_result()
    assert node.pacs_ai("studies", "delete", "1", "--yes").code == 0
    with node.database.write("test", NOW) as transaction:
        study = add_instance(transaction, arrival(1), sender("other"))
        assert (study.state, study.correction) == (StudyState.RECEIVING, 1)
        assert study.patient_key == "other"


def test_nothing_is_deleted_while_something_is_under_way(node: Installation):
    with node.database.write("test", NOW) as transaction:
        add_instance(transaction, arrival(), sender())
    answer = node.pacs_ai("studies", "delete", "1", "--yes")
    assert (answer.code, "RECEIVING" in answer.err) == (1, True)
    with node.database.write("test", NOW) as transaction:
        for table in reversed(Study.metadata.sorted_tables):
            transaction.execute(table.delete())
        _, job_id = routed_job(transaction)
        assert jobs.claim(transaction, job_id, 60)
    answer = node.pacs_ai("studies", "delete", "1", "--yes")
    assert (answer.code, str(JobState.RUNNING) in answer.err) == (1, True)


@pytest.mark.parametrize("state", [DeliveryState.SENDING, DeliveryState.WAITING])
def test_nothing_is_deleted_that_is_on_its_way(node: Installation, state: DeliveryState):
    node.study_with_result(deliver=False)
    with node.database.write("test", NOW) as transaction:
        transaction.query(Delivery).update({"state": state})
    answer = node.pacs_ai("studies", "delete", "1", "--yes")
    assert (answer.code, str(state) in answer.err) == (1, True)
