"""What an engine says of keys that have no task, on every engine."""

import sqlalchemy as sa

from pacs_ai.domain import TaskKind
from pacs_ai.store.schema import Meta
from tests.contract.conftest import Engines
from tests.unit.store.samples import NOW

KEYS = ("a", "b", "c", "d")


def test_a_key_is_lost_that_has_no_task_of_the_kind(engines: Engines) -> None:
    with engines.database.write("test", NOW) as transaction:
        transaction.add_all(Meta(key=key, value="") for key in KEYS)
    keys = sa.select(Meta.key).where(Meta.key.in_(KEYS))
    engine = engines.of()
    engines.enqueue("a")
    engines.enqueue("d", kind=TaskKind.DELIVER)
    with engines.frozen("node/boot/1") as finish:  # "a" is performed
        engines.enqueue("b", "other")
        with engines.database.write("test", NOW) as transaction:
            assert sorted(engine.lost(transaction, TaskKind.ROUTE, keys)) == ["c", "d"]
            engine.enqueue(transaction, TaskKind.ROUTE, "c")
            assert engine.lost(transaction, TaskKind.ROUTE, keys) == ["d"]
        finish()
    with engines.database.read() as session:
        assert sorted(engine.lost(session, TaskKind.ROUTE, keys)) == ["a", "d"]
