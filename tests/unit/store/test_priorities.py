"""The next task: the most urgent, by one query that an index answers."""

from collections.abc import Sequence
from functools import partial

import pytest
import sqlalchemy as sa

from pacs_ai.domain import TaskKind
from pacs_ai.engine.choose import task_table
from pacs_ai.engine.hold import HOLD
from pacs_ai.priorities import Order, Priority
from pacs_ai.store import procrastinate_jobs, tasks
from pacs_ai.store.session import Database
from tests.bench.queues import CLUSTER, LOCAL, Queue
from tests.databases import emptied
from tests.plans import A_FEW, recorded, rows_passed_over
from tests.unit.store.samples import NOW

KINDS = (TaskKind.ANALYSE, TaskKind.WITHDRAW)


OTHERS = tuple((kind, priority) for kind in (*KINDS, TaskKind.ROUTE) for priority in Priority)
"""What many tasks wait of, while few wait of others."""


def fill(database: Database) -> None:
    with database.write("test", NOW) as transaction:
        values = [
            {"kind": TaskKind.ANALYSE, "key": str(number), "version": 1, "priority": 1}
            for number in range(3000)
        ]
        transaction.execute(sa.insert(tasks.Task), values)
        tasks.enqueue(transaction, TaskKind.ANALYSE, "urgent", Priority.URGENT)


def fill_lines(queue: Queue, database: Database) -> None:
    """Let many tasks wait in several lines, and one in another."""
    for place, (kind, priority) in enumerate(OTHERS):
        key = f"'{priority} ' || one"
        queue.fill(database, 500, kind, key, priority, more=place > 0)
    with database.write("test", NOW) as transaction:
        assert queue.engine
        task_table(queue.engine).enqueue(transaction, TaskKind.DELIVER, "delivery")


ASKED = [KINDS, (TaskKind.DELIVER,), (TaskKind.COMMIT,)]


def assert_passes_over_nothing(database: Database, queue: Queue, order: Order) -> None:
    assert queue.engine
    table = task_table(queue.engine)

    def claim(kinds: Sequence[TaskKind]) -> None:
        with database.write("test/test/1", NOW) as transaction:
            table.urgent(transaction, "test", NOW - HOLD, NOW + HOLD)
            table.waiting(transaction, kinds, order)
            table.claim(transaction, kinds, 60, order)

    for kinds in ASKED:
        ran = recorded(database, partial(claim, kinds))
        assert ran
        for statement, parameters in ran:
            assert rows_passed_over(database, statement, parameters) <= A_FEW, statement


@pytest.mark.parametrize("order", list(Order))
def test_a_claim_passes_over_nothing(database: Database, order: Order) -> None:
    if database.is_sqlite:
        fill(database)
    else:
        fill_lines(LOCAL, database)
    assert_passes_over_nothing(database, LOCAL, order)


@pytest.mark.parametrize("order", list(Order))
def test_a_claim_of_a_job_passes_over_nothing(
    request: pytest.FixtureRequest, postgres: str, order: Order
) -> None:
    database = emptied(postgres)
    request.addfinalizer(database.close)
    procrastinate_jobs.prepare(database)
    fill_lines(CLUSTER, database)
    assert_passes_over_nothing(database, CLUSTER, order)


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
