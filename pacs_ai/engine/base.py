"""What the flow needs of an engine, and what every engine promises.

The suite `tests/contract/test_engine.py` tests each promise on every engine. How to add an
engine: docs/extending.md.
"""

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pacs_ai.domain import TaskKind
from pacs_ai.engine.wakeups import Wakeups
from pacs_ai.priorities import Priority
from pacs_ai.store.claimed_task import Keys
from pacs_ai.store.session import Session, Transaction

MOST_OVERTAKEN = 4
"""So many tasks in a row may overtake an older one: one of five begins in the order of arrival."""

Perform = Callable[[TaskKind, str], None]


@dataclass(frozen=True, slots=True)
class HeldTask:
    """A task that a worker performs now, as a look at one moment saw it.

    Parameters
    ----------
    id
        The engine's name for this performance of the task: the next one has another.
    owner
        Who performs it, ``node/boot/process``.
    sign_of_life
        Changes while the owner lives, several times in ``engine.lease_seconds``. It is only
        compared with itself, so that a clock which jumps takes no task away.
    """

    id: str
    owner: str
    sign_of_life: Hashable


class Engine(Protocol):
    """Performs each task at least once.

    A task says which row to look at; the row says what there is to do. What a task changes is
    fenced by that row: an engine may perform a task twice, and may lose one. The flow finds out by
    `existing` which tasks are lost, and by `held` whose workers are gone.

    The methods that take a session change nothing before its transaction commits, and nothing at
    all where that is rolled back.

    Attributes
    ----------
    wakeups
        Wake `run` in the threads of this process. Who learns in another way that there may be a
        task, from a child process or from another node, wakes them too.
    """

    wakeups: Wakeups

    def enqueue(
        self,
        transaction: Transaction,
        kind: TaskKind,
        key: str,
        priority: Priority = Priority.ROUTINE,
    ) -> None:
        """Ask for a task.

        One that is asked for again keeps the higher of both priorities.
        A task that waits is not added again. One that a worker performs now is performed once more
        afterwards, behind those that wait already. After the commit, and never before, the threads
        that wait for the kind are woken.
        """
        ...

    def existing(self, session: Session, kind: TaskKind) -> set[str]:
        """Return the keys of all tasks of a kind that wait or are performed now."""
        ...

    def lost(self, session: Session, kind: TaskKind, keys: Keys) -> list[str]:
        """Return those of the selected keys that have no task of a kind.

        Many may wait: an engine whose tasks are in the database compares there.
        """
        ...

    def held(self, session: Session) -> list[HeldTask]:
        """Return all tasks that workers of any node perform now."""
        ...

    def take_back(self, transaction: Transaction, held: HeldTask, *, last: bool) -> None:
        """Let others have a task whose worker is gone; harmless where it is held no more.

        Parameters
        ----------
        last
            Whether it goes behind those that wait. What a worker died of would else be the first
            that the next one performs.
        """
        ...

    def holds_up(self, session: Session) -> bool:
        """Tell whether urgent tasks hold up less urgent work now, as `run` does.

        For work that is no task, and that may as well begin a little later.
        """
        ...

    def run(
        self,
        perform: Perform,
        kinds: Sequence[TaskKind],
        stop: threading.Event,
        *,
        urgent_only: bool = False,
    ) -> None:
        """Perform tasks of some kinds until `stop` is set.

        The most urgent task comes first; of equally urgent ones, the oldest. After
        `MOST_OVERTAKEN` tasks in a row that overtook an older one, a thread performs the oldest:
        so all are performed in the end.

        With `urgent_only`, a thread leaves all that is not urgent to others, so that it is free
        when an urgent task comes. If urgent tasks come without a pause, it performs the oldest in
        its turn, as all threads do.

        While an urgent task of any kind waits, or this node performs it, no other thread begins a
        less urgent one, of any kind. This has two limits, see `pacs_ai.engine.hold`: the urgent
        task was asked for a short time ago, and less urgent ones have a fifth of the time.

        The task at hand is finished before. A task that raises stays held until it is taken back.
        A wake-up ends a wait at once, also one that comes while the engine looks for a task.
        Without any wake-up each task is found all the same, within a second.
        """
        ...

    def listen(self, stop: threading.Event) -> None:
        """Wake for the tasks that other nodes ask for, until `stop` is set.

        One process of each node does this; it passes wake-ups on to the others. An engine that
        cannot know of such tasks returns at once: each node finds them by itself, a little later.
        """
        ...

    def drain(self, perform: Perform, kinds: Sequence[TaskKind]) -> int:
        """Perform the tasks that wait, then return how many those were; urgent ones hold none up.

        A `StorageError` of a task is logged, and the task stays held; other errors are raised.
        """
        ...
