"""Connections to peers that are open now: a node that stops cuts them all."""

import threading
import weakref
from typing import Protocol


class Connection(Protocol):
    """A connection that another thread may end."""

    def cut(self) -> None:
        """End it: a thread that waits on it gets an error."""
        ...


_open: "weakref.WeakSet[Connection]" = weakref.WeakSet()
_lock = threading.Lock()


def opened(connection: Connection) -> None:
    """Remember a connection until it is closed or nobody uses it any more."""
    with _lock:
        _open.add(connection)


def closed(connection: Connection) -> None:
    """Forget a connection."""
    with _lock:
        _open.discard(connection)


def cut_all() -> None:
    """End all of them."""
    with _lock:
        connections = list(_open)
    for one in connections:
        one.cut()
