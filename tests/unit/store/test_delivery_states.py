"""The states of a delivery, arrow by arrow, on both databases."""

from datetime import timedelta

from pacs_ai.domain import DeliveryState, JobId
from pacs_ai.store import commitments, deliveries, jobs, studies
from pacs_ai.store.schema import Delivery
from pacs_ai.store.session import Database
from tests.unit.store.samples import MODEL, NOW, made, routed_job

HOUR = timedelta(hours=1)


def delivered(database: Database) -> tuple[JobId, deliveries.ClaimedDelivery]:
    with database.write("test", NOW) as transaction:
        _, job_id = routed_job(transaction)
        lease = jobs.claim(transaction, job_id, 60)
        assert lease is not None
        jobs.succeed(transaction, lease, [made()], "ok")
        (claimed,) = deliveries.claim(transaction, job_id, "pacs", lease_seconds=60)
    return job_id, claimed


def test_same_result_of_a_later_revision_keeps_its_row_and_is_not_sent_again(database: Database):
    with database.write("test", NOW) as transaction:
        study, first = routed_job(transaction)
        lease = jobs.claim(transaction, first, 60)
        assert lease is not None
        assert jobs.succeed(transaction, lease, [made()], "ok") == ["pacs"]
        revision = studies.reopen(transaction, study, note="reroute")
        transaction.refresh(study)
        assert revision == 2
        second = jobs.create(transaction, study, ["everything"], "demo", MODEL)
        assert second is not None
        lease = jobs.claim(transaction, second, 60)
        assert lease is not None
        again = made(send_to=("pacs", "other"), fresh=False)
        assert jobs.succeed(transaction, lease, [again, made(2)], "ok") == ["other", "pacs"]
        rows = transaction.query(Delivery).order_by(Delivery.id).all()
    assert [(row.result_id, row.destination) for row in rows] == [
        (1, "pacs"),
        (1, "other"),
        (2, "pacs"),
    ]


def test_postponed_delivery_waits_until_it_is_due(database: Database):
    job_id, claimed = delivered(database)
    due = NOW + timedelta(seconds=10)
    with database.write("test", NOW) as transaction:
        assert deliveries.postpone(
            transaction, claimed, code="PEER_UNREACHABLE", text="down", due_at=due, refusals=0
        )
        assert deliveries.waiting_destinations(transaction, ["PEER_UNREACHABLE"]) == ["pacs"]
        assert deliveries.waiting_destinations(transaction, ["STORE_REFUSED"]) == []
        assert deliveries.release_due(transaction, longest=HOUR) == []
        transaction.now = due
        assert deliveries.release_due(transaction, longest=HOUR) == [(job_id, "pacs")]
        assert transaction.scalars(deliveries.pending(":")).all() == [f"{job_id}:pacs"]


def test_a_peer_that_is_back_gets_all_at_once(database: Database):
    job_id, claimed = delivered(database)
    with database.write("test", NOW) as transaction:
        deliveries.postpone(
            transaction,
            claimed,
            code="PEER_UNREACHABLE",
            text="down",
            due_at=NOW + timedelta(days=1),
            refusals=0,
        )
        down = ["PEER_UNREACHABLE"]
        assert deliveries.release_due(transaction, "other", down, longest=HOUR) == []
        refused = ["STORE_REFUSED"]
        assert deliveries.release_due(transaction, "pacs", refused, longest=HOUR) == []
        assert deliveries.release_due(transaction, "pacs", down, longest=HOUR) == [(job_id, "pacs")]


def test_commitment_rounds_end(database: Database):
    job_id, claimed = delivered(database)
    outcomes = []
    with database.write("test", NOW) as transaction:
        for number in range(5):
            assert deliveries.stored(transaction, claimed, status=0, note="")
            ((delivery, _),) = commitments.stored(transaction, job_id, "pacs")
            assert commitments.ask(transaction, delivery, f"2.25.9{number}")
            transaction.refresh(delivery)
            outcomes.append(commitments.refused(transaction, delivery, 0x0112))
            if outcomes[-1] is DeliveryState.FAILED:
                break
            transaction.expire_all()
            (claimed,) = deliveries.claim(transaction, job_id, "pacs", lease_seconds=60)
    assert outcomes == [DeliveryState.PENDING] * 3 + [DeliveryState.FAILED]


def test_a_delivery_that_was_asked_about_is_not_asked_about_again(database: Database):
    job_id, claimed = delivered(database)
    with database.write("test", NOW) as transaction:
        deliveries.stored(transaction, claimed, status=0, note="")
        assert commitments.to_ask(transaction, ["pacs"]) == [(job_id, "pacs")]
        ((delivery, _),) = commitments.stored(transaction, job_id, "pacs")
        commitments.ask(transaction, delivery, "2.25.9")
        assert commitments.to_ask(transaction, ["pacs"]) == []
        transaction.refresh(delivery)
        assert commitments.confirmed(transaction, delivery)
        assert not commitments.confirmed(transaction, delivery)
        assert commitments.stored(transaction, job_id, "pacs") == []


def test_an_archive_asked_before_a_crash_is_asked_again_by_the_same_node_only(database: Database):
    job_id, claimed = delivered(database)
    with database.write("test", NOW) as transaction:
        deliveries.stored(transaction, claimed, status=0, note="")
        ((delivery, _),) = commitments.stored(transaction, job_id, "pacs")
        transaction.actor = "node/boot/1"
        commitments.ask(transaction, delivery, "2.25.9")
        transaction.actor = "node/boot/2"
        assert commitments.asked_by(transaction, "other") == []
        (again,) = commitments.asked_by(transaction, "node")
        assert commitments.ask_later(transaction, again)
        assert commitments.to_ask(transaction, ["pacs"]) == [(job_id, "pacs")]
