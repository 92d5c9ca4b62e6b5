"""What an engine promises."""

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from pacs_ai.domain import TaskKind
from pacs_ai.store.session import Session

Perform = Callable[[TaskKind, str], None]


class Engine(Protocol):
    """Starts each task at least once; what a task changes is fenced by the rows it works on."""

    def enqueue(self, session: Session, kind: TaskKind, key: str) -> None:
        """Ask for a task inside the caller's transaction: both happen, or neither."""
        ...

    def run(self, perform: Perform, kinds: Sequence[TaskKind], stop: threading.Event) -> None:
        """Perform tasks of some kinds until `stop` is set; the one at hand is finished first."""
        ...

    def drain(self, perform: Perform, kinds: Sequence[TaskKind]) -> int:
        """Perform the tasks there are, then return how many that were."""
        ...
