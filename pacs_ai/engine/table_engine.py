"""The engine whose tasks are rows beside the ones they are about, under leases.

Which rows those are, a task table knows: the node's own (`pacs_ai.store.tasks`), or the jobs of
Procrastinate (`pacs_ai.store.procrastinate_jobs`).
"""

import contextlib
import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from pacs_ai.clock import Clock, heartbeat
from pacs_ai.domain import TaskKind
from pacs_ai.engine.base import MOST_OVERTAKEN, HeldTask, Perform
from pacs_ai.engine.hold import HOLD, LOOK_SECONDS, HoldRounds
from pacs_ai.engine.task_table import ClaimedTask, TaskTable
from pacs_ai.engine.wakeups import Wakeups
from pacs_ai.errors import StorageError
from pacs_ai.logs import Outage, get_logger
from pacs_ai.priorities import Order, Priority
from pacs_ai.store.claimed_task import Keys
from pacs_ai.store.session import Database, Session, Transaction
from pacs_ai.store.sqlite_transactions import urgent

OUTAGE_SECONDS = 1.0
"""Between two looks at a database that is out of reach: each of them is a line of the log."""

_log = get_logger()


@dataclass(frozen=True, slots=True)
class _Share:
    """What a thread performs: tasks of these kinds, in this order.

    ``held_up``: whether urgent tasks of any kind hold the others up.
    """

    kinds: tuple[TaskKind, ...]
    order: Order = Order.URGENT_FIRST
    held_up: bool = True


class _Thread(threading.local):
    """What a thread remembers of its last looks.

    ``in_a_row``: so many tasks that it began had overtaken an older one, without a pause.
    ``held``: whether it leaves all that is not urgent, because an urgent task is under way.
    """

    in_a_row = 0
    held = False


class TableEngine:
    """Leased rows of a task table.

    Attributes
    ----------
    wakeups
        Wakes the threads of this process that perform tasks.

    Parameters
    ----------
    tasks
        The table.
    database
        Where it is.
    clock
        Stamps leases.
    owner
        Who claims: ``node/boot/process``.
    lease_seconds
        A lease is renewed three times in this span.
    """

    def __init__(
        self,
        tasks: TaskTable,
        database: Database,
        clock: Clock,
        owner: str,
        lease_seconds: float,
    ) -> None:
        self._tasks = tasks
        self._database = database
        self._clock = clock
        self._owner = owner
        self._lease_seconds = lease_seconds
        self.wakeups = Wakeups()
        self._turns: dict[_Share, threading.Lock] = {}
        self._thread = _Thread()
        self._rounds = HoldRounds(clock)
        self._node = owner.partition("/")[0]
        self._outage = Outage()

    def enqueue(
        self,
        transaction: Transaction,
        kind: TaskKind,
        key: str,
        priority: Priority = Priority.ROUTINE,
    ) -> None:
        """Ask for a task inside the caller's transaction."""
        self._tasks.enqueue(transaction, kind, key, priority)
        transaction.after_commit(partial(self.wakeups.wake, (kind,)))

    def existing(self, session: Session, kind: TaskKind) -> set[str]:
        """Return the keys of all tasks of a kind."""
        return self._tasks.existing(session, kind)

    def lost(self, session: Session, kind: TaskKind, keys: Keys) -> list[str]:
        """Return those of the selected keys that have no task of a kind."""
        return self._tasks.lost(session, kind, keys)

    def held(self, session: Session) -> list[HeldTask]:
        """Return all tasks under lease."""
        return [HeldTask(*one) for one in self._tasks.held(session)]

    def take_back(self, transaction: Transaction, held: HeldTask, *, last: bool) -> None:
        """Let others have a task whose worker is gone."""
        self._tasks.take_back(transaction, held.id, last=last)
        transaction.after_commit(partial(self.wakeups.wake, tuple(TaskKind)))

    def holds_up(self, session: Session) -> bool:
        """Tell whether urgent tasks hold up less urgent work now."""
        return self._rounds.holds(urgent=self._urgent(session))

    def run(
        self,
        perform: Perform,
        kinds: Sequence[TaskKind],
        stop: threading.Event,
        *,
        urgent_only: bool = False,
    ) -> None:
        """Perform tasks until `stop` is set.

        Of several threads that perform the same kinds one looks for the next task, and the others
        wait for their turn: a task wakes one thread and not all.
        """
        share = _Share(tuple(kinds), Order.URGENT_ONLY if urgent_only else Order.URGENT_FIRST)
        turn = self._turns.setdefault(share, threading.Lock())
        while not stop.is_set():
            with _logged_failure(stop, self._outage):
                with turn:
                    task = self._next(share, stop)
                while task is not None:
                    task = self._perform(perform, task, share, stop)

    def listen(self, stop: threading.Event) -> None:
        """Wake for the tasks that other nodes ask for; with SQLite there are none."""
        if self._database.is_sqlite:
            return
        while not stop.is_set():
            with _logged_failure(stop, self._outage):
                for kinds in self._tasks.notified(self._database, stop):
                    self.wakeups.wake(kinds)

    def drain(self, perform: Perform, kinds: Sequence[TaskKind]) -> int:
        """Perform what there is; one thread that does all holds nothing up."""
        done, share = 0, _Share(tuple(kinds), held_up=False)
        task = self._claim(share)
        while task is not None:
            task = self._perform(perform, task, share) or self._claim(share)
            done += 1
        return done

    def _next(self, share: _Share, stop: threading.Event) -> ClaimedTask | None:
        """Claim a task as soon as there is one; None when the thread stops."""
        while not stop.is_set():
            count = self.wakeups.count(share.kinds)
            task = self._claim(share)
            if task is not None:
                return task
            self.wakeups.wait(share.kinds, count, LOOK_SECONDS if self._thread.held else math.inf)
        return None

    def _claim(self, share: _Share) -> ClaimedTask | None:
        with self._database.read() as session:
            if not self._tasks.waiting(session, share.kinds, self._order(session, share)):
                if not self._thread.held:
                    self._thread.in_a_row = 0  # others had time for what this thread passed over
                return None
        with self._write() as transaction:
            return self._claim_in(transaction, share)

    def _claim_in(self, transaction: Transaction, share: _Share) -> ClaimedTask | None:
        """Claim the first task, or the oldest if the thread has passed it over often."""
        in_a_row, order = self._thread.in_a_row, self._order(transaction, share)
        if in_a_row >= MOST_OVERTAKEN and self._tasks.waiting(transaction, share.kinds, order):
            order = Order.OLDEST_FIRST
        task = self._tasks.claim(transaction, share.kinds, self._lease_seconds, order)
        if task is not None:
            self._thread.in_a_row = in_a_row + 1 if task.overtook else 0
        elif not self._thread.held:
            self._thread.in_a_row = 0
        return task

    def _order(self, session: Session, share: _Share) -> Order:
        """Return what a thread looks for: while it is held up, urgent tasks alone.

        One that has passed older tasks over often enough is not held up.
        """
        self._thread.held = False
        if share.order is Order.URGENT_FIRST and share.held_up:
            often = self._thread.in_a_row >= MOST_OVERTAKEN
            self._thread.held = self.holds_up(session) and not often
        return Order.URGENT_ONLY if self._thread.held else share.order

    def _urgent(self, session: Session) -> bool:
        """Tell whether an urgent task is under way: it waits, or this node performs it."""
        now = self._clock.now()
        return self._tasks.urgent(session, self._node, now - HOLD, now + HOLD)

    def _perform(
        self,
        perform: Perform,
        task: ClaimedTask,
        share: _Share,
        stop: threading.Event | None = None,
    ) -> ClaimedTask | None:
        """Perform a task, and claim the next one in the transaction that removes it."""
        try:
            with (
                urgent(is_urgent=task.priority == Priority.URGENT),
                heartbeat(self._lease_seconds / 3, lambda: self._renew(task)),
            ):
                perform(task.kind, task.key)
        except StorageError as error:
            # the task keeps its lease and comes back when that runs out: a pause by itself
            _log.warning("a task waits for the storage", kind=task.kind, error=error.code)
            return None
        with self._write() as transaction:
            self._tasks.finish(transaction, task)
            if task.priority == Priority.URGENT and not self._urgent(transaction):
                transaction.after_commit(partial(self.wakeups.wake, tuple(TaskKind)))
            if stop is not None and stop.is_set():
                return None
            return self._claim_in(transaction, share)

    def _write(self) -> AbstractContextManager[Transaction]:
        """Begin a transaction about tasks alone: a power cut may undo it, as they are hints."""
        return self._database.write(self._owner, self._clock.now(), durable=False)

    def _renew(self, task: ClaimedTask) -> None:
        """Keep the lease while the task runs; a renewal that fails is made up for by the next."""
        with contextlib.suppress(StorageError), self._write() as transaction:
            self._tasks.renew(transaction, task, self._lease_seconds)


@contextlib.contextmanager
def _logged_failure(stop: threading.Event, outage: Outage) -> Iterator[None]:
    """Log the failure of a block and go on: the thread outlives any task.

    A task that failed keeps its lease and comes back when that runs out: a pause by itself. An
    outage of the database is logged once, whatever number of threads and attempts it fails.
    """
    try:
        yield
        if outage.ends():
            _log.info("the task table is in reach again")
    except StorageError as error:
        if outage.begins(error.code):
            _log.warning("the task table is out of reach", error=error.code)
        stop.wait(OUTAGE_SECONDS)
    except Exception as error:  # noqa: BLE001 - whatever a step throws
        _log.error("a task failed unexpectedly", error=type(error).__name__)
