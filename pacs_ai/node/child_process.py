"""Child processes of the daemon: how one starts, and why it never outlives the daemon.

The daemon writes one line of JSON to the standard input of a child (its configuration and name) and
keeps that pipe open. When the pipe closes, the daemon has ended, and the child ends too. Over
another pipe the child sends a heartbeat every second. The daemon replaces a child that is stopped
or hangs in native code, because its heartbeats fail to appear. Wake-ups have a connection of their
own (`pacs_ai.node.wakeup_link`).
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

from pacs_ai.clock import pause
from pacs_ai.config import Config
from pacs_ai.domain import TaskKind
from pacs_ai.logs import setup_logging
from pacs_ai.node.app import App
from pacs_ai.node.wakeup_link import connect_child

RESTART_SECONDS = 2.0
"""A child that dies within this time is replaced only after it: no busy loop of restarts."""

CHECK_SECONDS = 1.0
"""Time between two checks of a child, and between two of its heartbeats."""

_POLL_SECONDS = 0.05

_STOPPED_CHECKS = 3
"""A child that is stopped (SIGSTOP) at this many checks in a row counts as lost."""

_SILENT_CHECKS = 10
"""A child may miss this many heartbeats at least, however short the lease is."""

_FIRST_CHECKS = 120
"""The same before its first heartbeat: it loads programs from a disk that may be busy."""


class Loss(StrEnum):
    """Why a running child counts as lost."""

    STOPPED = "it was stopped"
    SILENT = "it gives no sign of life"


@dataclass(frozen=True, slots=True)
class ChildContext:
    """What a child gets from the daemon: the configuration, its own name, and further settings."""

    config: Config
    owner: str
    settings: dict[str, Any]
    wakeups: int
    """File descriptor of its connection for wake-ups."""
    stop: threading.Event
    """Set by SIGTERM."""


class ChildProcess:
    """A child as the daemon sees it.

    Parameters
    ----------
    process
        The running process.
    owner
        The owner that its leases carry.
    heartbeats
        File descriptor of its heartbeats; reading it does not block.
    """

    def __init__(self, process: subprocess.Popen[bytes], owner: str, heartbeats: int) -> None:
        self.process = process
        self.owner = owner
        self.started = time.monotonic()
        self._heartbeats = heartbeats
        self._silent = 0
        self._stopped = 0
        self._alive_once = False

    @property
    def just_started(self) -> bool:
        """Whether it was started less than `RESTART_SECONDS` ago."""
        return time.monotonic() - self.started < RESTART_SECONDS

    def check(self, silent_seconds: float) -> Loss | None:
        """Check it, once every `CHECK_SECONDS`; return why it counts as lost, if it does.

        Checks are counted, not seconds: while the whole machine or the daemon stands still, the
        child cannot send a heartbeat either.

        Parameters
        ----------
        silent_seconds
            How long it may send no heartbeat.
        """
        self._stopped = self._stopped + 1 if _is_stopped(self.process) else 0
        if self._heartbeat_came():
            self._silent, self._alive_once = 0, True
        else:
            self._silent += 1
        if self._stopped >= _STOPPED_CHECKS:
            return Loss.STOPPED
        limit = _FIRST_CHECKS
        if self._alive_once:
            limit = max(_SILENT_CHECKS, round(silent_seconds / CHECK_SECONDS))
        return Loss.SILENT if self._silent >= limit else None

    def kill(self) -> None:
        """Kill it and the processes that it has started, stopped or not."""
        # It leads its own process group (see `start`), which exists until `wait` returns.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """Close its heartbeat pipe, once it has ended."""
        if self._heartbeats >= 0:
            os.close(self._heartbeats)
            self._heartbeats = -1

    def _heartbeat_came(self) -> bool:
        try:
            return bool(os.read(self._heartbeats, 1 << 16))
        except BlockingIOError:
            return False


def start(
    app: App,
    module: str,
    name: str,
    *,
    kinds: Collection[TaskKind] = (),
    listen: bool = False,
    **settings: object,
) -> ChildProcess:
    """Start a child; the daemon calls this.

    Parameters
    ----------
    app
        The node.
    module
        The module that it runs; its ``main`` calls `set_up` first.
    name
        Its name within the node, the last part of its owner.
    kinds
        The tasks that it performs.
    listen
        Whether the daemon reads its standard output.
    settings
        Further settings for the child, of types that JSON can hold.
    """
    node, boot, _ = app.context.owner.split("/")
    owner = f"{node}/{boot}/{name}"
    heartbeats, write_end = os.pipe()
    os.set_blocking(heartbeats, False)
    os.set_blocking(write_end, False)
    with connect_child(app.context.engine.wakeups, kinds) as wakeups:
        process = subprocess.Popen(  # noqa: S603 - a module of ours
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if listen else None,
            pass_fds=(write_end, wakeups.fileno()),
            start_new_session=True,  # on Ctrl-C in a terminal the daemon alone gets the signal
        )
        descriptors = {"heartbeats": write_end, "wakeups": wakeups.fileno()}
    os.close(write_end)
    config = app.context.config.model_dump(mode="json")
    message = {"config": config, "owner": owner, **descriptors, **settings}
    assert process.stdin is not None  # noqa: S101 - PIPE was asked for
    with contextlib.suppress(BrokenPipeError):  # it has died already; `poll` reports that
        process.stdin.write(json.dumps(message).encode() + b"\n")
        process.stdin.flush()
    return ChildProcess(process, owner, heartbeats)


def terminate(children: Iterable[ChildProcess]) -> None:
    """Tell children to finish their current work and end; return without waiting for them."""
    for child in children:
        child.process.send_signal(signal.SIGTERM)


def wait_or_kill(children: Collection[ChildProcess], deadline: float) -> None:
    """Wait for children that were told to end; kill those that still run at the deadline.

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


def set_up() -> ChildContext:
    """Set up this child process: signals, heartbeats, logging; its main thread calls this first."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    message = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    threading.Thread(
        target=_send_heartbeats, args=(message.pop("heartbeats"),), daemon=True
    ).start()
    config = Config.model_validate(message.pop("config"))
    setup_logging(config.log, config.debug_file())
    return ChildContext(config, message.pop("owner"), message, message.pop("wakeups"), stop)


def _end_with_parent() -> None:
    """End when standard input closes: the daemon is gone, and nothing supervises this process."""
    # unbuffered: a buffered reader waits while it holds a lock, and Python cannot exit then
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.killpg(0, signal.SIGKILL)  # this process and those it has started


def _send_heartbeats(pipe: int) -> None:
    """Send heartbeats as long as Python code runs in this process."""
    while True:
        pause(CHECK_SECONDS)
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(pipe, b".")


def _is_stopped(process: subprocess.Popen[bytes]) -> bool:
    """Whether a signal has stopped it, if the system can tell; the process is not reaped."""
    if process.returncode is not None or not hasattr(os, "waitid"):
        return False
    with contextlib.suppress(ChildProcessError):
        options = os.WSTOPPED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, process.pid, options) is not None
    return False
