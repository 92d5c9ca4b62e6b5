"""An engine that keeps its tasks in memory. It shows that nothing depends on the local engine.

It is for tests only: a node has worker processes, and they do not share memory.
"""

import contextlib
import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from pacs_ai.clock import heartbeat
from pacs_ai.domain import TaskKind
from pacs_ai.engine.base import MOST_OVERTAKEN, HeldTask, Perform
from pacs_ai.engine.wakeups import Wakeups
from pacs_ai.errors import StorageError
from pacs_ai.priorities import Priority
from pacs_ai.store.session import Session

_ASKED = "tasks asked for"


@dataclass
class _Task:
    kind: TaskKind
    key: str
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

    def add(self, kind: TaskKind, key: str, priority: Priority = Priority.ROUTINE) -> None:
        with self.lock:
            for task in self.all:
                if (task.kind, task.key) == (kind, key):
                    task.again = True
                    task.priority = min(task.priority, priority)
                    return
            self.all.append(_Task(kind, key, priority=priority))

    def claim(
        self, kinds: Sequence[TaskKind], owner: str, *, urgent_only: bool = False
    ) -> _Task | None:
        with self.lock:
            free = [task for task in self.all if task.kind in kinds and not task.claim]
            if urgent_only and not any(task.priority == Priority.URGENT for task in free):
                free = []
            if not free:
                self.in_a_row[owner] = 0
                return None
            oldest = self.in_a_row.get(owner, 0) >= MOST_OVERTAKEN
            task = free[0] if oldest else min(free, key=lambda one: one.priority)
            overtook = task is not free[0]
            self.in_a_row[owner] = self.in_a_row.get(owner, 0) + 1 if overtook else 0
            task.claim, task.owner, task.again = f"{next(self.claims)}", owner, False
            return task

    def end(self, claim: str, *, again: bool | None = None) -> None:
        """Remove the task of a claim; `again`, or asked for meanwhile, it waits behind the rest."""
        with self.lock:
            for task in [task for task in self.all if task.claim == claim]:
                self.all.remove(task)
                if task.again if again is None else again:
                    self.all.append(_Task(task.kind, task.key, priority=task.priority))

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
    """

    def __init__(self, tasks: Tasks, owner: str, lease_seconds: float = 60) -> None:
        self._tasks = tasks
        self._owner = owner
        self._lease_seconds = lease_seconds
        self.wakeups = Wakeups()

    def enqueue(
        self, session: Session, kind: TaskKind, key: str, priority: Priority = Priority.ROUTINE
    ) -> None:
        session.info.setdefault(_ASKED, set()).add((kind, key))

        def add() -> None:
            self._tasks.add(kind, key, priority)
            self.wakeups.wake((kind,))

        _at_commit(session, add)

    def existing(self, session: Session, kind: TaskKind) -> set[str]:
        asked = {key for asked, key in session.info.get(_ASKED, ()) if asked == kind}
        with self._tasks.lock:
            return asked | {task.key for task in self._tasks.all if task.kind == kind}

    def held(self, session: Session) -> list[HeldTask]:  # noqa: ARG002 - the protocol's
        with self._tasks.lock:
            held = [task for task in self._tasks.all if task.claim]
            return [HeldTask(task.claim, task.owner, task.beats) for task in held]

    def take_back(self, session: Session, held: HeldTask, *, last: bool) -> None:
        if last:
            _at_commit(session, lambda: self._tasks.end(held.id, again=True))
        else:
            _at_commit(session, lambda: self._tasks.free(held.id))

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
            with contextlib.suppress(Exception):  # the task that raised stays held
                if not self._one(perform, kinds, urgent_only=urgent_only):
                    self.wakeups.wait(kinds, count)

    def listen(self, stop: threading.Event) -> None:
        """There are no other nodes."""

    def drain(self, perform: Perform, kinds: Sequence[TaskKind]) -> int:
        done = 0
        while self._one(perform, kinds):
            done += 1
        return done

    def _one(
        self, perform: Perform, kinds: Sequence[TaskKind], *, urgent_only: bool = False
    ) -> bool:
        task = self._tasks.claim(kinds, self._owner, urgent_only=urgent_only)
        if task is None:
            return False
        claim = task.claim
        with contextlib.suppress(StorageError):
            with heartbeat(self._lease_seconds / 3, task.beat):
                perform(task.kind, task.key)
            self._tasks.end(claim)
        return True


def _at_commit(session: Session, change: Callable[[], None]) -> None:
    sa.event.listen(session, "after_commit", lambda _session: change(), once=True)
