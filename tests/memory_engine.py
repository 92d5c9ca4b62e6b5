"""An engine that keeps its tasks in memory. It shows that nothing depends on the local engine.

It is for tests only: a node has worker processes, and they do not share memory.
"""

import contextlib
import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from pacs_ai.clock import Clock, SystemClock, heartbeat
from pacs_ai.domain import TaskKind
from pacs_ai.engine.base import MOST_OVERTAKEN, HeldTask, Perform
from pacs_ai.engine.hold import HOLD, LOOK_SECONDS, HoldRounds
from pacs_ai.engine.wakeups import POLL_SECONDS, Wakeups
from pacs_ai.errors import StorageError
from pacs_ai.priorities import Priority
from pacs_ai.store.claimed_task import Keys
from pacs_ai.store.session import Session, Transaction

_ASKED = "tasks asked for"


@dataclass
class _Task:
    kind: TaskKind
    key: str
    asked: datetime
    claim: str = ""
    owner: str = ""
    beats: int = 0
    again: bool = False
    priority: Priority = Priority.ROUTINE

    def beat(self) -> None:
        self.beats += 1


class Tasks:
    """The tasks that several workers share, the oldest first."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.all: list[_Task] = []
        self.claims = itertools.count(1)
        self.in_a_row: dict[str, int] = {}

    def add(
        self, kind: TaskKind, key: str, asked: datetime, priority: Priority = Priority.ROUTINE
    ) -> None:
        with self.lock:
            for task in self.all:
                if (task.kind, task.key) == (kind, key):
                    task.again = True
                    if priority < task.priority:
                        task.priority, task.asked = priority, asked
                    return
            self.all.append(_Task(kind, key, asked, priority=priority))

    def urgent(self, node: str, now: datetime) -> bool:
        with self.lock:
            return any(
                task.priority == Priority.URGENT
                and abs(now - task.asked) <= HOLD
                and (not task.claim or task.owner.startswith(f"{node}/"))
                for task in self.all
            )

    def claim(
        self,
        kinds: Sequence[TaskKind],
        owner: str,
        *,
        urgent_only: bool = False,
        held: bool = False,
    ) -> _Task | None:
        with self.lock:
            oldest = self.in_a_row.get(owner, 0) >= MOST_OVERTAKEN
            free = [task for task in self.all if task.kind in kinds and not task.claim]
            urgent_only = urgent_only or (held and not oldest)
            if urgent_only and not any(task.priority == Priority.URGENT for task in free):
                free = []
            if not free:
                self.in_a_row[owner] = self.in_a_row.get(owner, 0) * held
                return None
            task = free[0] if oldest else min(free, key=lambda one: one.priority)
            overtook = task is not free[0]
            self.in_a_row[owner] = self.in_a_row.get(owner, 0) + 1 if overtook else 0
            task.claim, task.owner, task.again = f"{next(self.claims)}", owner, False
            return task

    def end(self, claim: str, now: datetime, *, again: bool | None = None) -> None:
        """Remove the task of a claim; `again`, or asked for meanwhile, it waits behind the rest."""
        with self.lock:
            for task in [task for task in self.all if task.claim == claim]:
                self.all.remove(task)
                if task.again if again is None else again:
                    self.all.append(_Task(task.kind, task.key, now, priority=task.priority))

    def free(self, claim: str) -> None:
        with self.lock:
            for task in self.all:
                if task.claim == claim:
                    task.claim = ""


class MemoryEngine:
    """Performs tasks of this process.

    Parameters
    ----------
    tasks
        What it shares with other workers.
    owner
        Who performs: ``node/boot/process``.
    lease_seconds
        It gives a sign of life three times in this span.
    clock
        Says how long an urgent task has been under way.
    """

    def __init__(
        self, tasks: Tasks, owner: str, lease_seconds: float = 60, clock: Clock | None = None
    ) -> None:
        self._tasks = tasks
        self._owner = owner
        self._node = owner.partition("/")[0]
        self._clock = clock or SystemClock()
        self._rounds = HoldRounds(self._clock)
        self._lease_seconds = lease_seconds
        self.wakeups = Wakeups()

    def enqueue(
        self,
        transaction: Transaction,
        kind: TaskKind,
        key: str,
        priority: Priority = Priority.ROUTINE,
    ) -> None:
        transaction.info.setdefault(_ASKED, set()).add((kind, key))

        def add() -> None:
            self._tasks.add(kind, key, transaction.now, priority)
            self.wakeups.wake((kind,))

        _at_commit(transaction, add)

    def existing(self, session: Session, kind: TaskKind) -> set[str]:
        asked = {key for asked, key in session.info.get(_ASKED, ()) if asked == kind}
        with self._tasks.lock:
            return asked | {task.key for task in self._tasks.all if task.kind == kind}

    def lost(self, session: Session, kind: TaskKind, keys: Keys) -> list[str]:
        there = self.existing(session, kind)
        return [key for key in session.scalars(keys) if key not in there]

    def held(self, session: Session) -> list[HeldTask]:  # noqa: ARG002 - the protocol's
        with self._tasks.lock:
            held = [task for task in self._tasks.all if task.claim]
            return [HeldTask(task.claim, task.owner, task.beats) for task in held]

    def take_back(self, transaction: Transaction, held: HeldTask, *, last: bool) -> None:
        if last:
            _at_commit(transaction, lambda: self._tasks.end(held.id, transaction.now, again=True))
        else:
            _at_commit(transaction, lambda: self._tasks.free(held.id))

    def holds_up(self, session: Session | None = None) -> bool:  # noqa: ARG002 - the protocol's
        return self._rounds.holds(urgent=self._tasks.urgent(self._node, self._clock.now()))

    def run(
        self,
        perform: Perform,
        kinds: Sequence[TaskKind],
        stop: threading.Event,
        *,
        urgent_only: bool = False,
    ) -> None:
        while not stop.is_set():
            count = self.wakeups.count(kinds)
            held = self.holds_up() and not urgent_only
            with contextlib.suppress(Exception):  # the task that raised stays held
                if not self._one(perform, kinds, urgent_only=urgent_only, held=held):
                    self.wakeups.wait(kinds, count, LOOK_SECONDS if held else POLL_SECONDS)

    def listen(self, stop: threading.Event) -> None:
        """There are no other nodes."""

    def drain(self, perform: Perform, kinds: Sequence[TaskKind]) -> int:
        done = 0
        while self._one(perform, kinds):
            done += 1
        return done

    def _one(
        self,
        perform: Perform,
        kinds: Sequence[TaskKind],
        *,
        urgent_only: bool = False,
        held: bool = False,
    ) -> bool:
        task = self._tasks.claim(kinds, self._owner, urgent_only=urgent_only, held=held)
        if task is None:
            return False
        claim = task.claim
        with contextlib.suppress(StorageError):
            with heartbeat(self._lease_seconds / 3, task.beat):
                perform(task.kind, task.key)
            now = self._clock.now()
            self._tasks.end(claim, now)
            if task.priority == Priority.URGENT and not self._tasks.urgent(self._node, now):
                self.wakeups.wake(tuple(TaskKind))
        return True


def _at_commit(session: Session, change: Callable[[], None]) -> None:
    sa.event.listen(session, "after_commit", lambda _session: change(), once=True)
