"""The states of a study, arrow by arrow, on both databases."""

from datetime import timedelta

import pytest

from pacs_ai.domain import JobState, StudyId, StudyState
from pacs_ai.errors import IllegalTransition
from pacs_ai.store import deliveries, instances, jobs, overview, studies
from pacs_ai.store.schema import Job, Study
from pacs_ai.store.session import Database
from pacs_ai.store.transition import move
from tests.unit.store.samples import NOW, add_instance, arrival, made, routed_job, sender


def test_first_instance_begins_the_study(database: Database):
    with database.write("test", NOW) as transaction:
        study = add_instance(transaction, arrival(), sender())
        assert (study.state, study.revision) == (StudyState.RECEIVING, 1)
        assert [
            row.revision for row in instances.of_revision(transaction, StudyId(study.id), 1)
        ] == [1]
        trail = overview.events(transaction, "study", study.id)
    assert [(event.from_state, event.to_state) for event in trail] == [("", "RECEIVING")]


def test_closing_twice_changes_one_row_once(database: Database):
    with database.write("test", NOW) as transaction:
        study = add_instance(transaction, arrival(), sender())
        first = studies.close(transaction, StudyId(study.id), 1, reason="")
        second = studies.close(transaction, StudyId(study.id), 1, reason="")
    assert (first, second) == (True, False)


def test_late_instance_opens_a_revision_and_cancels_what_is_queued(database: Database):
    with database.write("test", NOW) as transaction:
        study, job_id = routed_job(transaction)
        study = add_instance(transaction, arrival(2), sender())
        assert (study.state, study.revision) == (StudyState.RECEIVING, 2)
        assert transaction.get_one(Job, job_id).state == JobState.CANCELLED
        held = instances.of_revision(transaction, StudyId(study.id), 2)
    assert [row.revision for row in held] == [1, 2]


def test_passive_instance_opens_no_revision(database: Database):
    with database.write("test", NOW) as transaction:
        study, _ = routed_job(transaction)
        own = arrival(2, unusable_reason="own result")
        study = add_instance(transaction, own, sender())
    assert (study.state, study.revision) == (StudyState.ROUTED, 1)


def test_other_patient_holds_jobs_and_deliveries(database: Database):
    with database.write("test", NOW) as transaction:
        study, job_id = routed_job(transaction)
        lease = jobs.claim(transaction, job_id, 60)
        assert lease is not None
        jobs.succeed(transaction, lease, [made()], "ok")
        study = add_instance(transaction, arrival(2), sender("p2"))
        assert study.state == StudyState.CONFLICT
        claim = deliveries.claim(transaction, job_id, "pacs", lease_seconds=60)
        assert claim == []
        assert transaction.scalars(deliveries.pending(":")).all() == []
        studies.reopen(transaction, study, note="resolved")
        transaction.refresh(study)
        assert (study.state, study.revision) == (StudyState.RECEIVING, 2)
        assert transaction.scalars(deliveries.pending(":")).all() == [f"{job_id}:pacs"]


def test_an_arrow_that_does_not_exist_is_refused(database: Database):
    with database.write("test", NOW) as transaction:
        study, _ = routed_job(transaction)
        arrow = (StudyState.PURGED, StudyState.COMPLETE)
        with pytest.raises(IllegalTransition):
            move(transaction, Study, study.id, arrow)


def test_only_finished_old_studies_are_purged(database: Database):
    later = NOW + timedelta(days=30)
    with database.write("test", NOW) as transaction:
        study, job_id = routed_job(transaction)
        assert studies.purgeable(transaction, later, most=9) == []  # its job is still queued
        lease = jobs.claim(transaction, job_id, 60)
        assert lease is not None
        jobs.succeed(transaction, lease, [made()], "ok")
        assert studies.purgeable(transaction, later, most=9) == []  # its delivery is still pending
        (claimed,) = deliveries.claim(transaction, job_id, "pacs", lease_seconds=60)
        deliveries.stored(transaction, claimed, status=0, note="")
        assert studies.purgeable(transaction, NOW, most=9) == []  # not old enough
        assert [row.id for row in studies.purgeable(transaction, later, most=9)] == [study.id]
        transaction.now = later
        paths = studies.purge(transaction, study)
        assert paths == ["node/instances/aa/1.dcm", "node/results/aa/1.dcm"]
        transaction.refresh(study)
        assert study.state == StudyState.PURGED
        reopened = add_instance(transaction, arrival(1), sender())
    assert (reopened.state, reopened.revision) == (StudyState.RECEIVING, 2)
