"""The states of a study, arrow by arrow, on both databases."""

from datetime import timedelta

import pytest

from pacs_ai.domain import JobState, StudyId, StudyState
from pacs_ai.errors import IllegalTransition
from pacs_ai.store import admission, deliveries, instances, jobs, overview, studies
from pacs_ai.store.schema import Job, Study
from pacs_ai.store.session import Database
from pacs_ai.store.transition import move
from tests.unit.store.samples import NOW, arrival, made, routed_job, sender


def test_first_instance_begins_the_study(database: Database):
    with database.write() as session:
        study = admission.add_instance(session, arrival(), sender(), NOW)
        assert (study.state, study.revision) == (StudyState.RECEIVING, 1)
        assert [row.revision for row in instances.of_revision(session, StudyId(study.id), 1)] == [1]
        trail = overview.events(session, "study", study.id)
    assert [(event.from_state, event.to_state) for event in trail] == [("", "RECEIVING")]


def test_closing_twice_changes_one_row_once(database: Database):
    with database.write() as session:
        study = admission.add_instance(session, arrival(), sender(), NOW)
        first = studies.close(session, StudyId(study.id), 1, now=NOW, actor="a", reason="")
        second = studies.close(session, StudyId(study.id), 1, now=NOW, actor="b", reason="")
    assert (first, second) == (True, False)


def test_late_instance_opens_a_revision_and_cancels_what_is_queued(database: Database):
    with database.write() as session:
        study, job_id = routed_job(session)
        study = admission.add_instance(session, arrival(2), sender(), NOW)
        assert (study.state, study.revision) == (StudyState.RECEIVING, 2)
        assert session.get_one(Job, job_id).state == JobState.CANCELLED
        held = instances.of_revision(session, StudyId(study.id), 2)
    assert [row.revision for row in held] == [1, 2]


def test_passive_instance_opens_no_revision(database: Database):
    with database.write() as session:
        study, _ = routed_job(session)
        own = arrival(2, unusable_reason="own result")
        study = admission.add_instance(session, own, sender(), NOW)
    assert (study.state, study.revision) == (StudyState.ROUTED, 1)


def test_other_patient_holds_jobs_and_deliveries(database: Database):
    with database.write() as session:
        study, job_id = routed_job(session)
        lease = jobs.claim(session, job_id, "node/1/1", 60, NOW)
        assert lease is not None
        jobs.succeed(session, lease, [made()], "ok", NOW)
        study = admission.add_instance(session, arrival(2), sender("p2"), NOW)
        assert study.state == StudyState.CONFLICT
        claim = deliveries.claim(
            session, job_id, "pacs", owner="node/1/1", lease_seconds=60, now=NOW
        )
        assert claim == []
        assert deliveries.pending(session) == []
        studies.reopen(session, study, now=NOW, actor="operator", note="resolved")
        session.refresh(study)
        assert (study.state, study.revision) == (StudyState.RECEIVING, 2)
        assert deliveries.pending(session) == [(job_id, "pacs")]


def test_an_arrow_that_does_not_exist_is_refused(database: Database):
    with database.write() as session:
        study, _ = routed_job(session)
        arrow = (StudyState.PURGED, StudyState.COMPLETE)
        with pytest.raises(IllegalTransition):
            move(session, Study, study.id, arrow, now=NOW, actor="t")


def test_only_finished_old_studies_are_purged(database: Database):
    later = NOW + timedelta(days=30)
    with database.write() as session:
        study, job_id = routed_job(session)
        assert studies.purgeable(session, later) == []  # its job is still queued
        lease = jobs.claim(session, job_id, "node/1/1", 60, NOW)
        assert lease is not None
        jobs.succeed(session, lease, [made()], "ok", NOW)
        assert studies.purgeable(session, later) == []  # its delivery is still pending
        (parcel,) = deliveries.claim(
            session, job_id, "pacs", owner="n/1/1", lease_seconds=60, now=NOW
        )
        deliveries.stored(session, parcel, status=0, note="", now=NOW, actor="t")
        assert studies.purgeable(session, NOW) == []  # not old enough
        assert [row.id for row in studies.purgeable(session, later)] == [study.id]
        paths = studies.purge(session, study, now=later, actor="t")
        assert paths == ["node/instances/aa/1.dcm", "node/results/aa/1.dcm"]
        session.refresh(study)
        assert study.state == StudyState.PURGED
        reopened = admission.add_instance(session, arrival(1), sender(), later)
    assert (reopened.state, reopened.revision) == (StudyState.RECEIVING, 2)
