"""Child processes of the daemon: how one begins, and how it never outlives who started it.

A child gets its order as one line of JSON on standard input, which stays open as long as the
daemon lives. Where it closes, however the daemon ended, the child ends. On another pipe it gives a
sign of life every second: one that is stopped, or hangs in native code, is noticed and replaced.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pacs_ai.app import App
from pacs_ai.clock import pause
from pacs_ai.config import Config
from pacs_ai.logs import setup_logging

RESTART_SECONDS = 2.0
"""A child that died younger than this is replaced this much later: it must not spin."""

LOOK_SECONDS = 1.0
"""Between two looks at a child, and between two signs of life of one."""

_POLL_SECONDS = 0.05

_STOPPED_LOOKS = 3
"""So many looks in a row a child may be stopped (SIGSTOP) before it counts as lost."""

_SILENT_LOOKS = 10
"""So many at least, whatever the lease, it may give no sign of life."""

_FIRST_LOOKS = 120
"""The same before its first: it reads programs from a disk that may be busy."""


class Loss(StrEnum):
    """Why a child that runs is of no use any more."""

    STOPPED = "it was stopped"
    SILENT = "it gives no sign of life"


@dataclass(frozen=True, slots=True)
class Order:
    """What a child is to do: the node's configuration, its own name, and what else it was told."""

    config: Config
    owner: str
    more: dict[str, Any]
    stop: threading.Event
    """Set by SIGTERM."""


class Child:
    """A child as the daemon sees it.

    Parameters
    ----------
    process
        It.
    owner
        The owner that its leases carry.
    signs
        Where its signs of life can be read, without waiting.
    """

    def __init__(self, process: subprocess.Popen[bytes], owner: str, signs: int) -> None:
        self.process = process
        self.owner = owner
        self.started = time.monotonic()
        self._signs = signs
        self._silent = 0
        self._stopped = 0
        self._lives = False

    @property
    def young(self) -> bool:
        """Tell whether it was started a moment ago."""
        return time.monotonic() - self.started < RESTART_SECONDS

    def look(self, silent_seconds: float) -> Loss | None:
        """Look at it, once every `LOOK_SECONDS`; say whether and why it is lost.

        Looks are counted, not seconds: where the whole machine or the daemon stood still, the
        child could give no sign either.

        Parameters
        ----------
        silent_seconds
            How long it may give no sign of life.
        """
        self._stopped = self._stopped + 1 if _is_stopped(self.process) else 0
        if self._sign_came():
            self._silent, self._lives = 0, True
        else:
            self._silent += 1
        if self._stopped >= _STOPPED_LOOKS:
            return Loss.STOPPED
        limit = _FIRST_LOOKS
        if self._lives:
            limit = max(_SILENT_LOOKS, round(silent_seconds / LOOK_SECONDS))
        return Loss.SILENT if self._silent >= limit else None

    def kill(self) -> None:
        """End it and what it has started, stopped or not."""
        # It leads a process group of its own (see `start`), which is there until it is waited for.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """Forget it, once it has ended."""
        if self._signs >= 0:
            os.close(self._signs)
            self._signs = -1

    def _sign_came(self) -> bool:
        try:
            return bool(os.read(self._signs, 1 << 16))
        except BlockingIOError:
            return False


def start(app: App, module: str, name: str, *, listen: bool = False, **more: object) -> Child:
    """Start a child, from the daemon.

    Parameters
    ----------
    app
        The node.
    module
        What it runs; its ``main`` begins with `begin`.
    name
        Its name beside those of the node and of this run of it.
    listen
        Whether what it prints is to be read.
    more
        The rest of its order, as JSON takes it.
    """
    node, boot, _ = app.context.owner.split("/")
    owner = f"{node}/{boot}/{name}"
    signs, give = os.pipe()
    os.set_blocking(signs, False)
    os.set_blocking(give, False)
    process = subprocess.Popen(  # noqa: S603 - a module of ours
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if listen else None,
        pass_fds=(give,),
        start_new_session=True,  # Ctrl-C at a terminal is for the daemon to pass on
    )
    os.close(give)
    config = app.context.config.model_dump(mode="json")
    order = {"config": config, "owner": owner, "signs": give, **more}
    assert process.stdin is not None  # noqa: S101 - PIPE was asked for
    with contextlib.suppress(BrokenPipeError):  # it died already, which `poll` tells
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
    return Child(process, owner, signs)


def tell_to_end(children: Iterable[Child]) -> None:
    """Let children finish what they are at, and end; at once, without waiting for them."""
    for child in children:
        child.process.send_signal(signal.SIGTERM)


def end(children: Collection[Child], deadline: float) -> None:
    """Wait for children that were told to end; kill those that have not by then.

    Parameters
    ----------
    deadline
        Moment on the monotonic clock, the same for all.
    """
    left = list(children)
    while left and time.monotonic() < deadline:
        pause(_POLL_SECONDS)
        left = [child for child in left if child.process.poll() is None]
    for child in left:
        child.kill()
    for child in children:
        child.close()


def begin() -> Order:
    """Take the order, in the child; from its main thread, before anything else."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    order = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    threading.Thread(target=_give_signs, args=(order.pop("signs"),), daemon=True).start()
    config = Config.model_validate(order.pop("config"))
    setup_logging(config.log, config.debug_file())
    return Order(config, order.pop("owner"), order, stop)


def _end_with_parent() -> None:
    """End when standard input closes: the daemon is gone, and nobody would supervise us."""
    # unbuffered: a reader that waits inside a lock could not be ended at exit
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.killpg(0, signal.SIGKILL)  # whatever we have started, too


def _give_signs(signs: int) -> None:
    """Give a sign of life again and again, as long as Python code runs in this process."""
    while True:
        pause(LOOK_SECONDS)
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(signs, b".")


def _is_stopped(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether a signal has stopped it, where the system can say so; nothing is reaped."""
    if process.returncode is not None or not hasattr(os, "waitid"):
        return False
    with contextlib.suppress(ChildProcessError):
        options = os.WSTOPPED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, process.pid, options) is not None
    return False
