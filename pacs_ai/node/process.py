"""Processes as the daemon sees them, whether it has started them or adopted them.

A process that `pacs_ai.node.fork_server` forks has the daemon as its parent: the daemon is the
subreaper of all that it has started (`man 2 PR_SET_CHILD_SUBREAPER`, Linux).
"""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, NoReturn, Protocol

from pacs_ai.clock import pause

_PR_SET_CHILD_SUBREAPER = 36
_REAP_SECONDS = 1.0
_POLL_SECONDS = 0.01


class Process(Protocol):
    """What of `subprocess.Popen` the daemon needs."""

    pid: int
    returncode: int | None
    stdout: IO[bytes] | None

    def poll(self) -> int | None:
        """Return the exit code if it has ended."""

    def wait(self) -> int:
        """Wait until it has ended."""

    def send_signal(self, sig: int, /) -> None:
        """Send a signal, if it still runs."""


class AdoptedProcess:
    """A child that this process has not started itself; it leads its process group.

    Parameters
    ----------
    pid
        Of the process.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdout: IO[bytes] | None = None
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """Return the exit code if it has ended; its process group ends with it."""
        return self._look(os.WNOHANG)

    def wait(self) -> int:
        """Wait until it has ended."""
        code = self._look(0)
        assert code is not None  # noqa: S101 - it has ended
        return code

    def send_signal(self, sig: int, /) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def _look(self, options: int) -> int | None:
        with self._lock:
            if self.returncode is not None:
                return self.returncode
            # Not reaped yet: until then no other process can get this number.
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | options) is None:
                return None
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            self._reap_group()
            return self.returncode

    def _reap_group(self) -> None:
        """Reap what it had started: that is ours since it ended."""
        deadline = time.monotonic() + _REAP_SECONDS
        with contextlib.suppress(ChildProcessError):
            while time.monotonic() < deadline:
                if os.waitpid(-self.pid, os.WNOHANG)[0] == 0:
                    pause(_POLL_SECONDS)


def become_subreaper() -> None:
    """Become the parent of all descendants whose own parent ends (Linux).

    Raises
    ------
    OSError
        If the system refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def run_to_end(main: Callable[[], int]) -> NoReturn:
    """Run a function and `leave` with the exit code that it returns; with 1 after an error."""
    code = 1
    try:
        code = main()
    finally:
        if error := sys.exception():
            sys.excepthook(type(error), error, error.__traceback__)
        leave(code)


def leave(code: int) -> NoReturn:
    """End the process at once: all is settled, and taking the interpreter apart lasts seconds."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
