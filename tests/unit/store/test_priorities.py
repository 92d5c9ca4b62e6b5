"""The next task: the most urgent, by one query that an index answers."""

import pytest
import sqlalchemy as sa

from pacs_ai.domain import TaskKind
from pacs_ai.priorities import Order, Priority
from pacs_ai.store import tasks
from pacs_ai.store.session import Database
from tests.unit.store.samples import NOW

KINDS = (TaskKind.ANALYSE, TaskKind.WITHDRAW)


def fill(database: Database) -> None:
    with database.write("test", NOW) as transaction:
        values = [
            {"kind": TaskKind.ANALYSE, "key": str(number), "version": 1, "priority": 1}
            for number in range(3000)
        ]
        transaction.execute(sa.insert(tasks.Task), values)
        tasks.enqueue(transaction, TaskKind.ANALYSE, "urgent", Priority.URGENT)
    if not database.is_sqlite:
        with database.engine.begin() as connection:
            connection.execute(sa.text("ANALYZE task"))


@pytest.mark.parametrize("order", list(Order))
def test_a_claim_sorts_nothing(database: Database, order: Order) -> None:
    fill(database)
    ran: list[tuple[str, object]] = []

    def note(_connection, _cursor, statement, parameters, _context, _many) -> None:
        ran.append((statement, parameters))

    sa.event.listen(database.engine, "before_cursor_execute", note)
    with database.write("test/test/1", NOW) as transaction:
        tasks.claim(transaction, KINDS, 60, order)
    sa.event.remove(database.engine, "before_cursor_execute", note)
    [claim] = [one for one in ran if one[0].startswith("UPDATE task")]
    how = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    with database.engine.connect() as connection:
        rows = connection.exec_driver_sql(f"{how} {claim[0]}", claim[1])
        plan = "\n".join(str(row) for row in rows)
    assert "TEMP B-TREE" not in plan, plan
    assert "Sort" not in plan, plan
    assert order is Order.OLDEST_FIRST or "ix_task_waiting" in plan, plan


def test_the_urgent_one_is_claimed_among_thousands(database: Database) -> None:
    fill(database)
    with database.write("test/test/1", NOW) as transaction:
        first = tasks.claim(transaction, KINDS, 60)
        second = tasks.claim(transaction, KINDS, 60)
    assert first is not None
    assert second is not None
    assert (first.key, first.overtook) == ("urgent", True)
    assert (second.key, second.overtook) == ("0", False)


def test_who_asks_again_may_only_make_it_more_urgent(database: Database) -> None:
    with database.write("test/test/1", NOW) as transaction:
        for priority in (Priority.ROUTINE, Priority.URGENT, Priority.LOW):
            tasks.enqueue(transaction, TaskKind.ANALYSE, "a", priority)
        task = tasks.claim(transaction, KINDS, 60)
    assert task is not None
    assert task.priority == Priority.URGENT
