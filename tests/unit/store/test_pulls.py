"""Studies to fetch: each arrow, and a list of ten thousand that is asked for twice."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
import sqlalchemy as sa

from pacs_ai.priorities import Priority
from pacs_ai.store import pulls
from pacs_ai.store.pulls import Failure
from pacs_ai.store.schema import Event
from pacs_ai.store.session import Database, Session, Transaction
from pacs_ai.store.timeline import events_of
from tests.unit.store.samples import NOW


def entered(database: Database, *uids: str, again: bool = False) -> int:
    with database.write("node/1/2", NOW) as transaction:
        return pulls.enter(transaction, "pacs", uids, again=again)


def states(database: Database) -> dict[str, int]:
    with database.read() as session:
        return {state: count for (_, state), count in pulls.counts(session).items()}


def trail(session: Session, pull_id: int) -> Sequence[Event]:
    return events_of(session, pulls.PULL, [pull_id])[str(pull_id)]


def claim(transaction: Transaction) -> pulls.ClaimedPull:
    claimed = pulls.claim(transaction, "pacs")
    assert claimed is not None
    return claimed


def test_ten_thousand_studies_are_asked_for_once(database: Database) -> None:
    uids = [f"1.2.{number}" for number in range(10_000)]
    assert entered(database, *uids, uids[0]) == 10_000
    assert entered(database, *uids, "1.3") == 1
    assert states(database) == {"QUEUED": 10_001}


def test_each_is_claimed_once_and_ends(database: Database) -> None:
    entered(database, "1.1", "1.2", "1.3")
    with database.write("node/1/2", NOW) as transaction:
        first, second, third = (claim(transaction) for _ in range(3))
        assert pulls.claim(transaction, "pacs") is None
        assert pulls.done(transaction, first, 7)
        assert pulls.fail(transaction, second, Failure("PEER", "no", 0))
        due = NOW + timedelta(seconds=9)
        assert pulls.postpone(transaction, third, Failure("PEER", "later", 3), due)
        assert not pulls.done(transaction, third, 1)
        assert pulls.claim(transaction, "pacs") is None
    assert states(database) == {"DONE": 1, "FAILED": 1, "QUEUED": 1}
    with database.write("node/1/2", NOW + timedelta(seconds=10)) as transaction:
        assert claim(transaction).attempt == 2
        notes = [one.note for one in trail(transaction, third.id)]
    assert notes == ["", "PEER: later; here of the study: 3 instances", ""]


@pytest.mark.parametrize(("node", "left"), [("node", 0), ("other", 1)])
def test_what_a_node_that_is_gone_was_fetching_is_fetched_again(
    database: Database, node: str, left: int
) -> None:
    entered(database, "1.1")
    with database.write("node/1/2", NOW) as transaction:
        claim(transaction)
        assert pulls.take_back(transaction, node) == 1 - left
    assert states(database).get("RUNNING", 0) == left


def test_what_is_urgent_is_fetched_first_and_each_archive_has_its_own_list(
    database: Database,
) -> None:
    entered(database, "1.1", "1.2")
    with database.write("node/1/2", NOW) as transaction:
        assert pulls.enter(transaction, "pacs", ["1.3", "1.2"], priority=Priority.URGENT) == 1
        assert pulls.enter(transaction, "other", ["1.2"]) == 1
        assert pulls.peers_due(transaction, NOW, "") == ["other", "pacs"]
        claimed = [claim(transaction).study_instance_uid for _ in range(3)]
    assert claimed == ["1.2", "1.3", "1.1"]
    with database.read() as session:
        assert pulls.peers_due(session, NOW, "") == ["other"]
        assert [one.peer for one in pulls.of_studies(session, ["1.2"])] == ["pacs", "other"]


def test_a_person_fetches_again_or_cancels(database: Database) -> None:
    entered(database, "1.1", "1.2")
    with database.write("node/1/2", NOW) as transaction:
        pulls.done(transaction, claim(transaction), 1)
    assert entered(database, "1.1", "1.2", again=True) == 1
    with database.write("node/1/2", NOW) as transaction:
        assert pulls.cancel(transaction, "other") == 0
        assert pulls.cancel(transaction, None, ["1.1", "1.9"]) == 1
        assert pulls.cancel(transaction, "pacs") == 1
        assert pulls.cancel(transaction, None) == 0
        assert pulls.peers_due(transaction, NOW, "") == []
    assert states(database) == {"CANCELLED": 2}
    assert entered(database, "1.1") == 1, "whoever asks again wants it again"
    assert states(database) == {"CANCELLED": 1, "QUEUED": 1}


def test_what_is_being_fetched_is_cancelled_and_whoever_fetches_it_writes_nothing_more(
    database: Database,
) -> None:
    entered(database, "1.1")
    with database.write("node/1/2", NOW) as transaction:
        claimed = claim(transaction)
        assert pulls.is_wanted(transaction, claimed)
        assert pulls.cancel(transaction, None) == 1
        assert not pulls.is_wanted(transaction, claimed)
        assert not pulls.done(transaction, claimed, 7)
    assert states(database) == {"CANCELLED": 1}
    with database.write("node/1/2", NOW + timedelta(seconds=1)) as transaction:
        assert pulls.enter(transaction, "pacs", ["1.1"]) == 1
        assert pulls.claim(transaction, "pacs") is not None
        assert not pulls.is_wanted(transaction, claimed), "this is another fetch of it"
        assert not pulls.done(transaction, claimed, 7)
        arrows = [(one.from_state, one.to_state) for one in trail(transaction, claimed.id)]
    assert arrows == [("QUEUED", "RUNNING"), ("RUNNING", "CANCELLED"), ("QUEUED", "RUNNING")]


def test_a_list_is_one_line_of_the_trail(database: Database) -> None:
    uids = [f"1.2.{number}" for number in range(1000)]
    entered(database, *uids)
    with database.write("node/1/2", NOW) as transaction:
        pulls.enter(transaction, "other", uids[:1])
        pulls.cancel(transaction, None)
        lines = transaction.scalars(sa.select(Event).order_by(Event.id)).all()
        said = [(one.entity, one.entity_id, one.to_state, one.note) for one in lines]
    assert said == [
        ("retrieval", "pacs", "ASKED", "1000 studies"),
        ("retrieval", "other", "ASKED", "1 study"),
        ("retrieval", "other", "CANCELLED", "1 study"),
        ("retrieval", "pacs", "CANCELLED", "1000 studies"),
    ]
