"""Group commit: transactions that begin at the same time share one flush of the disk."""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Generic, TypeVar, cast

from sqlalchemy import Connection

from pacs_ai.errors import DatabaseBusy, StorageError

T = TypeVar("T")
Work = Callable[[Connection], T]
Write = Callable[[], AbstractContextManager[Connection]]


class GroupCommit:
    """Runs pieces of work; those that wait at the same time share a transaction.

    A commit costs a flush of the disk, however small it is. The first caller is the leader: it
    does all work that waits, its own first, in one transaction. Then the caller that has waited
    longest is the leader. A caller that is alone commits at once.

    Parameters
    ----------
    write
        Opens a transaction.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._waiting: deque[_Piece[object]] = deque()
        self._led = False

    def run(self, work: Work[T]) -> T:
        """Run a piece of work; when this returns it is committed.

        Parameters
        ----------
        work
            May be run twice: again in a transaction of its own, where one of the others failed.

        Raises
        ------
        DatabaseBusy, StorageError
            If its transaction failed; nothing of it has happened.
        """
        piece = _Piece(work)
        with self._lock:
            self._waiting.append(piece)  # type: ignore[arg-type]
            leads, self._led = not self._led, True
        if leads or piece.wait_leads():
            self._lead()
        return piece.result()

    def _lead(self) -> None:
        """Do all work that waits, then choose the next leader."""
        with self._lock:
            pieces = list(self._waiting)
            self._waiting.clear()
        try:
            self._do(pieces)
        finally:
            with self._lock:
                successor = self._waiting[0] if self._waiting else None
                self._led = successor is not None
            for piece in pieces:
                piece.wake(leads=False)
            if successor is not None:
                successor.wake(leads=True)

    def _do(self, pieces: "list[_Piece[object]]") -> None:
        try:
            with self._write() as connection:
                for piece in pieces:
                    piece.run(connection)
            _end(pieces, None)
        except DatabaseBusy as error:
            _end(pieces, error)
        except Exception as error:  # noqa: BLE001 - whatever it was, only one of them has caused it
            if len(pieces) == 1:
                _end(pieces, error)
                return
            for piece in pieces:
                self._do([piece])


class _Piece(Generic[T]):
    """The work of one caller, and its outcome."""

    def __init__(self, work: Work[T]) -> None:
        self._work = work
        self._woken = threading.Event()
        self._leads = False
        self._value: T | None = None
        self.error: Exception | None = StorageError("the transaction did not end")

    def run(self, connection: Connection) -> None:
        self._value = self._work(connection)

    def wait_leads(self) -> bool:
        """Wait until it is done, or its caller has to lead."""
        self._woken.wait()
        return self._leads

    def wake(self, *, leads: bool) -> None:
        self._leads = leads
        self._woken.set()

    def result(self) -> T:
        if self.error is not None:
            raise self.error
        return cast("T", self._value)


def _end(pieces: "list[_Piece[object]]", error: Exception | None) -> None:
    for piece in pieces:
        piece.error = error
