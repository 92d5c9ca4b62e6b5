"""Wake-ups between the daemon and a child process, over a pair of connected sockets.

A byte stands for one kind of task. Nobody waits to send one: a process that stands still does not
hold up the others. What does not fit into a full buffer is dropped, and whoever reads such a
buffer later wakes the threads of all kinds.
"""

import contextlib
import socket
import threading
from collections.abc import Collection
from functools import partial

from pacs_ai.domain import TaskKind
from pacs_ai.engine.wakeups import Wake, Wakeups

_KINDS = tuple(TaskKind)

_FULL = 64
"""Bytes read at once from which on the buffer may have been full: it holds 200 at least."""


def connect_child(wakeups: Wakeups, kinds: Collection[TaskKind]) -> socket.socket:
    """Connect the daemon with a child that is about to start.

    Parameters
    ----------
    wakeups
        Those of the daemon.
    kinds
        What the child performs; it is told of nothing else.

    Returns
    -------
    socket.socket
        The child's end. The daemon closes it once the child has a copy. The connection ends with
        the child.
    """
    ours, theirs = socket.socketpair()
    forward = partial(_send, ours, kinds)
    wakeups.connect(forward)

    def serve() -> None:
        with ours:
            _receive(ours, wakeups.wake)
            wakeups.disconnect(forward)

    threading.Thread(target=serve, name="wakeups", daemon=True).start()
    return theirs


def connect_daemon(wakeups: Wakeups, descriptor: int) -> None:
    """Connect a child with the daemon.

    Parameters
    ----------
    wakeups
        Those of the child.
    descriptor
        Of the child's end.
    """
    ours = socket.socket(fileno=descriptor)
    wakeups.connect(partial(_send, ours, _KINDS))
    threading.Thread(
        target=_receive, args=(ours, wakeups.wake_here), name="wakeups", daemon=True
    ).start()


def _send(end: socket.socket, wanted: Collection[TaskKind], kinds: Collection[str]) -> None:
    data = bytes(_KINDS.index(kind) for kind in wanted if kind in kinds)
    if data:
        with contextlib.suppress(OSError):  # the buffer is full, or the other side is gone
            end.send(data, socket.MSG_DONTWAIT)


def _receive(end: socket.socket, wake: Wake) -> None:
    """Wake for each kind that is named, until the other side is gone."""
    with contextlib.suppress(OSError):
        while data := end.recv(1 << 16):
            wake(_KINDS if len(data) >= _FULL else [_KINDS[number] for number in set(data)])
