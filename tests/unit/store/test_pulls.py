"""Studies to fetch: each arrow, and a list of ten thousand that is asked for twice."""

from datetime import timedelta

import pytest

from pacs_ai.priorities import Priority
from pacs_ai.store import pulls
from pacs_ai.store.session import Database, Transaction
from tests.unit.store.samples import NOW


def entered(database: Database, *uids: str, again: bool = False) -> int:
    with database.write("node/1/2", NOW) as transaction:
        return pulls.enter(transaction, "pacs", uids, again=again)


def states(database: Database) -> dict[str, int]:
    with database.read() as session:
        return {state: count for (_, state), count in pulls.counts(session).items()}


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
        assert pulls.fail(transaction, second, "PEER", "no")
        due = NOW + timedelta(seconds=9)
        assert pulls.postpone(transaction, third, "PEER", "later", due)
        assert not pulls.done(transaction, third, 1)
        assert pulls.claim(transaction, "pacs") is None
    assert states(database) == {"DONE": 1, "FAILED": 1, "QUEUED": 1}
    with database.write("node/1/2", NOW + timedelta(seconds=10)) as transaction:
        assert claim(transaction).attempt == 2


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
        assert pulls.peers_due(transaction, NOW) == ["other", "pacs"]
        claimed = [claim(transaction).study_instance_uid for _ in range(3)]
    assert claimed == ["1.2", "1.3", "1.1"]
    with database.read() as session:
        assert pulls.peers_due(session, NOW) == ["other"]
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
    assert states(database) == {}
