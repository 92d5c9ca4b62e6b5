"""The states of a delivery, arrow by arrow, on both databases."""

from datetime import timedelta

from pacs_ai.domain import DeliveryState, JobId
from pacs_ai.store import commitments, deliveries, jobs, studies
from pacs_ai.store.schema import Delivery
from pacs_ai.store.session import Database
from tests.unit.store.samples import MODEL, NOW, made, routed_job

HOUR = timedelta(hours=1)


def delivered(database: Database) -> tuple[JobId, deliveries.ClaimedDelivery]:
    with database.write() as session:
        _, job_id = routed_job(session)
        lease = jobs.claim(session, job_id, "node/1/1", 60, NOW)
        assert lease is not None
        jobs.succeed(session, lease, [made()], "ok", NOW)
        (parcel,) = deliveries.claim(
            session, job_id, "pacs", owner="node/1/1", lease_seconds=60, now=NOW
        )
    return job_id, parcel


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
