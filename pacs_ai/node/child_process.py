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
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import IO, Any

from pacs_ai.clock import pause
from pacs_ai.config import Config
from pacs_ai.domain import TaskKind
from pacs_ai.logs import setup_logging, tail_path
from pacs_ai.node.app import App
from pacs_ai.node.process import Process
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


Launch = Callable[[Sequence[int]], Process]
"""Starts a child that gets three descriptors: standard input, heartbeats, wake-ups."""


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
    message
        The other end of its standard input.
    """

    def __init__(
        self, process: Process, owner: str, heartbeats: int, message: IO[bytes] | None = None
    ) -> None:
        self.process = process
        self._message = message
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
        """Close the pipes between it and the daemon, once it has ended."""
        if self._message is not None:
            with contextlib.suppress(BrokenPipeError):
                self._message.close()
        if self._heartbeats >= 0:
            os.close(self._heartbeats)
            self._heartbeats = -1

    def _heartbeat_came(self) -> bool:
        try:
            return bool(os.read(self._heartbeats, 1 << 16))
        except BlockingIOError:
            return False


def start(
    app: App, launch: Launch, name: str, *, kinds: Collection[TaskKind] = (), **settings: object
) -> ChildProcess:
    """Start a child; the daemon calls this.

    Parameters
    ----------
    app
        The node.
    launch
        How it comes into being; it calls `set_up` first.
    name
        Its name within the node, the last part of its owner.
    kinds
        The tasks that it performs.
    settings
        Further settings for the child, of types that JSON can hold; ``config`` if it has its own.
    """
    node, boot, _ = app.context.owner.split("/")
    owner = f"{node}/{boot}/{name}"
    heartbeats, write_end = os.pipe()
    os.set_blocking(heartbeats, False)
    os.set_blocking(write_end, False)
    standard_input, message_end = os.pipe()
    message = os.fdopen(message_end, "wb")
    try:
        with connect_child(app.context.engine.wakeups, kinds) as wakeups:
            process = launch((standard_input, write_end, wakeups.fileno()))
            descriptors = {"heartbeats": write_end, "wakeups": wakeups.fileno()}
    finally:
        os.close(standard_input)
        os.close(write_end)
    config = app.context.config.model_dump(mode="json")
    content = {"config": config, "owner": owner, **descriptors, **settings}
    with contextlib.suppress(BrokenPipeError):  # it has died already; `poll` reports that
        message.write(json.dumps(content).encode() + b"\n")
        message.flush()
    return ChildProcess(process, owner, heartbeats, message)


def module(name: str, *, listen: bool = False, keep: Sequence[int] = ()) -> Launch:
    """Return what starts a module in a new interpreter.

    Parameters
    ----------
    name
        Of the module.
    listen
        Whether the daemon reads its standard output.
    keep
        Further descriptors that it gets.
    """

    def launch(descriptors: Sequence[int]) -> Process:
        standard_input, *others = descriptors
        return subprocess.Popen(  # noqa: S603 - a module of ours
            [sys.executable, "-m", name],
            stdin=standard_input,
            stdout=subprocess.PIPE if listen else None,
            pass_fds=(*others, *keep),
            start_new_session=True,  # on Ctrl-C in a terminal the daemon alone gets the signal
        )

    return launch


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


def set_up(heartbeats: int | None = None, wakeups: int | None = None) -> ChildContext:
    """Set up this child process: signals, heartbeats, logging; its main thread calls this first.

    Parameters
    ----------
    heartbeats, wakeups
        Its descriptors, if their numbers are not those that the daemon names.
    """
    child = read_message()
    signal.signal(signal.SIGTERM, lambda *_: child.stop.set())
    pipe = child.settings.pop("heartbeats") if heartbeats is None else heartbeats
    threading.Thread(target=_end_with_parent, daemon=True).start()
    threading.Thread(target=_send_heartbeats, args=(pipe,), daemon=True).start()
    return child if wakeups is None else replace(child, wakeups=wakeups)


def read_message() -> ChildContext:
    """Read what the daemon says to this child, and set up its logging; starts no thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    message = json.loads(sys.stdin.buffer.readline())
    config = Config.model_validate(message.pop("config"))
    wakeups, owner = message.pop("wakeups"), message.pop("owner")
    home = config.storage.spool / owner.partition("/")[0]
    setup_logging(config.log, config.debug_file(), tail_path(home))
    return ChildContext(config, owner, message, wakeups, threading.Event())


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


def _is_stopped(process: Process) -> bool:
    """Whether a signal has stopped it, if the system can tell; the process is not reaped."""
    if process.returncode is not None or not hasattr(os, "waitid"):
        return False
    with contextlib.suppress(ChildProcessError):
        options = os.WSTOPPED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, process.pid, options) is not None
    return False
