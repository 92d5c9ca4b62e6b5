"""The state machines, arrow by arrow, on both databases."""

from datetime import timedelta

import pytest

from pacs_ai.domain import DeliveryState, JobId, JobState, StudyId, StudyState, TaskKind
from pacs_ai.errors import IllegalTransition, LeaseLost
from pacs_ai.store import (
    admission,
    commitments,
    deliveries,
    instances,
    jobs,
    leases,
    operator,
    overview,
    results,
    studies,
    tasks,
)
from pacs_ai.store.schema import Delivery, Job, Study
from pacs_ai.store.session import Database
from pacs_ai.store.transition import move
from tests.unit.store.samples import MODEL, NOW, arrival, made, routed_job, sender

HOUR = timedelta(hours=1)


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


def test_late_instance_lets_a_running_job_finish(database: Database):
    with database.write() as session:
        _, job_id = routed_job(session)
        lease = jobs.claim(session, job_id, "node/1/1", 60, NOW)
        assert lease is not None
        admission.add_instance(session, arrival(2), sender(), NOW)
        jobs.succeed(session, lease, [made()], "ok", NOW)
        session.expire_all()
        assert session.get_one(Job, job_id).state == JobState.SUCCEEDED


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


def test_job_of_a_study_in_conflict_is_not_claimed(database: Database):
    with database.write() as session:
        _, job_id = routed_job(session)
        admission.add_instance(session, arrival(2), sender("p2"), NOW)
        assert jobs.claim(session, job_id, "node/1/1", 60, NOW) is None
        assert jobs.queued(session) == []


def test_a_job_exists_once_for_revision_and_model(database: Database):
    with database.write() as session:
        study, _ = routed_job(session)
        assert jobs.create(session, study, ["again"], "demo", MODEL, NOW) is None


def test_of_two_attempts_only_the_later_one_counts(database: Database):
    with database.write() as session:
        _, job_id = routed_job(session)
        sleeper = jobs.claim(session, job_id, "node/1/1", 60, NOW)
        assert sleeper is not None
        (lease,) = leases.held(session)
        state = leases.take_back(session, lease, blame=leases.Blame.WORKER, now=NOW, actor="sweep")
        assert state == JobState.QUEUED
        successor = jobs.claim(session, job_id, "node/1/2", 60, NOW)
        assert successor is not None
        assert successor.attempt == 2
    with pytest.raises(LeaseLost), database.write() as session:
        jobs.succeed(session, sleeper, [made(1)], "late", NOW)
    with database.write() as session:
        assert not jobs.renew(session, sleeper, 60, NOW)
        assert jobs.renew(session, successor, 60, NOW)
        jobs.succeed(session, successor, [made(2)], "ok", NOW)
        assert [row.sop_instance_uid for row in results.of_job(session, job_id)] == ["2.25.2"]


@pytest.mark.parametrize(
    ("blame", "allowed"),
    [(leases.Blame.WORKER, 2), (leases.Blame.NODE, 5), (leases.Blame.NOBODY, None)],
)
def test_a_study_that_kills_workers_is_set_aside(
    database: Database, blame: leases.Blame, allowed: int | None
):
    states = []
    with database.write() as session:
        _, job_id = routed_job(session)
        for attempt in range(1, 8):
            if jobs.claim(session, job_id, f"node/1/{attempt}", 60, NOW) is None:
                break
            (lease,) = leases.held(session)
            states.append(leases.take_back(session, lease, blame=blame, now=NOW, actor="sweep"))
            session.expire_all()
    if allowed is None:
        assert states == [JobState.QUEUED] * 7
    else:
        assert states == [JobState.QUEUED] * (allowed - 1) + [JobState.FAILED]


@pytest.mark.parametrize(
    ("blame", "order"),
    [
        (leases.Blame.WORKER, ["b", "c", "a"]),
        (leases.Blame.NODE, ["b", "c", "a"]),
        (leases.Blame.NOBODY, ["a", "b", "c"]),
    ],
)
def test_what_somebody_died_at_waits_behind_the_rest(
    database: Database, blame: leases.Blame, order: list[str]
):
    """A node that is killed again and again must not give up on the job it always begins with."""
    kinds = [TaskKind.ANALYSE]
    with database.write() as session:
        for key in "abc":
            tasks.enqueue(session, TaskKind.ANALYSE, key)
        late = tasks.claim(session, kinds, "node/1/1", 60, NOW)
        assert late is not None
        (lease,) = leases.held(session)
        leases.take_back(session, lease, blame=blame, now=NOW, actor="sweep")
        leases.take_back(session, lease, blame=blame, now=NOW, actor="sweep")
        session.expire_all()
        claimed = [tasks.claim(session, kinds, "node/1/2", 60, NOW) for _ in range(3)]
        assert [task.key for task in claimed if task is not None] == order
        assert tasks.claim(session, kinds, "node/1/2", 60, NOW) is None


def test_same_result_of_a_later_revision_keeps_its_row_and_is_not_sent_again(database: Database):
    with database.write() as session:
        study, first = routed_job(session)
        lease = jobs.claim(session, first, "node/1/1", 60, NOW)
        assert lease is not None
        assert jobs.succeed(session, lease, [made()], "ok", NOW) == ["pacs"]
        revision = studies.reopen(session, study, now=NOW, actor="operator", note="reroute")
        session.refresh(study)
        assert revision == 2
        second = jobs.create(session, study, ["everything"], "demo", MODEL, NOW)
        assert second is not None
        lease = jobs.claim(session, second, "node/1/1", 60, NOW)
        assert lease is not None
        again = made(send_to=("pacs", "other"), fresh=False)
        assert jobs.succeed(session, lease, [again, made(2)], "ok", NOW) == ["other", "pacs"]
        rows = session.query(Delivery).order_by(Delivery.id).all()
    assert [(row.result_id, row.destination) for row in rows] == [
        (1, "pacs"),
        (1, "other"),
        (2, "pacs"),
    ]


def delivered(database: Database) -> tuple[JobId, deliveries.Parcel]:
    with database.write() as session:
        _, job_id = routed_job(session)
        lease = jobs.claim(session, job_id, "node/1/1", 60, NOW)
        assert lease is not None
        jobs.succeed(session, lease, [made()], "ok", NOW)
        (parcel,) = deliveries.claim(
            session, job_id, "pacs", owner="node/1/1", lease_seconds=60, now=NOW
        )
    return job_id, parcel


def test_postponed_delivery_waits_until_it_is_due(database: Database):
    job_id, parcel = delivered(database)
    due = NOW + timedelta(seconds=10)
    with database.write() as session:
        assert deliveries.postpone(
            session,
            parcel,
            code="PEER_UNREACHABLE",
            text="down",
            due_at=due,
            refusals=0,
            now=NOW,
            actor="t",
        )
        assert deliveries.waiting_destinations(session, ["PEER_UNREACHABLE"]) == ["pacs"]
        assert deliveries.waiting_destinations(session, ["STORE_REFUSED"]) == []
        assert deliveries.release_due(session, NOW, longest=HOUR, actor="t") == []
        assert deliveries.release_due(session, due, longest=HOUR, actor="t") == [(job_id, "pacs")]
        assert deliveries.pending(session) == [(job_id, "pacs")]


def test_a_peer_that_is_back_gets_all_at_once(database: Database):
    job_id, parcel = delivered(database)
    with database.write() as session:
        deliveries.postpone(
            session,
            parcel,
            code="PEER_UNREACHABLE",
            text="down",
            due_at=NOW + timedelta(days=1),
            refusals=0,
            now=NOW,
            actor="t",
        )
        down = ["PEER_UNREACHABLE"]
        assert deliveries.release_due(session, NOW, "other", down, longest=HOUR, actor="t") == []
        refused = ["STORE_REFUSED"]
        assert deliveries.release_due(session, NOW, "pacs", refused, longest=HOUR, actor="t") == []
        assert deliveries.release_due(session, NOW, "pacs", down, longest=HOUR, actor="t") == [
            (job_id, "pacs")
        ]


def test_commitment_rounds_end(database: Database):
    job_id, parcel = delivered(database)
    outcomes = []
    with database.write() as session:
        for number in range(5):
            assert deliveries.stored(session, parcel, status=0, note="", now=NOW, actor="t")
            ((delivery, _),) = commitments.stored(session, job_id, "pacs")
            assert commitments.ask(session, delivery, f"2.25.9{number}", now=NOW, actor="t")
            session.refresh(delivery)
            outcomes.append(commitments.refused(session, delivery, 0x0112, now=NOW, actor="t"))
            if outcomes[-1] is DeliveryState.FAILED:
                break
            session.expire_all()
            (parcel,) = deliveries.claim(
                session, job_id, "pacs", owner="node/1/1", lease_seconds=60, now=NOW
            )
    assert outcomes == [DeliveryState.PENDING] * 3 + [DeliveryState.FAILED]


def test_a_delivery_that_was_asked_about_is_not_asked_about_again(database: Database):
    job_id, parcel = delivered(database)
    with database.write() as session:
        deliveries.stored(session, parcel, status=0, note="", now=NOW, actor="t")
        assert commitments.to_ask(session, ["pacs"]) == [(job_id, "pacs")]
        ((delivery, _),) = commitments.stored(session, job_id, "pacs")
        commitments.ask(session, delivery, "2.25.9", now=NOW, actor="t")
        assert commitments.to_ask(session, ["pacs"]) == []
        session.refresh(delivery)
        assert commitments.confirmed(session, delivery, now=NOW, actor="t")
        assert not commitments.confirmed(session, delivery, now=NOW, actor="t")
        assert commitments.stored(session, job_id, "pacs") == []


def test_operator_retries_what_failed_and_nothing_else(database: Database):
    with database.write() as session:
        _, job_id = routed_job(session)
        job = session.get_one(Job, job_id)
        with pytest.raises(IllegalTransition):
            operator.retry_job(session, job, NOW)
        lease = jobs.claim(session, job_id, "node/1/1", 60, NOW)
        assert lease is not None
        jobs.fail(session, lease, "MODEL", "broken", NOW)
        session.refresh(job)
        operator.retry_job(session, job, NOW)
        session.refresh(job)
        assert (job.state, job.error_code) == (JobState.QUEUED, "")
        operator.cancel_job(session, job, NOW)
        session.refresh(job)
        with pytest.raises(IllegalTransition):
            operator.cancel_job(session, job, NOW)


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


def test_an_archive_asked_before_a_crash_is_asked_again_by_the_same_node_only(database: Database):
    job_id, parcel = delivered(database)
    with database.write() as session:
        deliveries.stored(session, parcel, status=0, note="", now=NOW, actor="t")
        ((delivery, _),) = commitments.stored(session, job_id, "pacs")
        commitments.ask(session, delivery, "2.25.9", now=NOW, actor="node/boot/1")
        assert commitments.asked_by(session, "other") == []
        (again,) = commitments.asked_by(session, "node")
        assert commitments.ask_later(session, again, now=NOW, actor="node/boot/2")
        assert commitments.to_ask(session, ["pacs"]) == [(job_id, "pacs")]
