"""`pacs-ai` commands in processes forked from one that has imported their modules already.

The imports of a node take seconds of processor time, a fork takes none, and the tests start
hundreds of nodes and commands. Run as a program this is that process. tests/e2e/test_listen.py and
others start real ones.
"""

import atexit
import contextlib
import functools
import gc
import importlib.util
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pacs_ai import cli
from tests import forked_children

IMPORTED = (
    *forked_children.MODULES,
    *forked_children.USED_BY_THEM,
    "pacs_ai.cli.dispatch",
    "pacs_ai.cli.listen",
    "pacs_ai.cli.studies",
    "pacs_ai.cli.results",
    "pacs_ai.cli.deliveries",
    "pacs_ai.node.daemon",
)
_LIMIT = 1 << 20
"""Bytes of one order."""

_READ_AT_START = ("LD_", "PYTHON", "OMP_", "MALLOC_")
"""Beginnings of the names of variables that a process reads when it starts."""

_STARTED_WITH = dict(os.environ)

HOOK = Path(__file__).parent / "crash" / "hook" / "sitecustomize.py"
KILL = "PACS_AI_TEST_KILL"
"""The variable that names a point at which a process dies."""


class Forked:
    """A process that another one has forked; what of `subprocess.Popen` the tests need."""

    def __init__(self, reports: int) -> None:
        self._reports = os.fdopen(reports, encoding="ascii")
        self.pid = int(self._reports.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit status if it has ended, negative for a signal."""
        return self._status(0)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status as soon as it has ended."""
        status = self._status(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _status(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._reports], [], [], timeout)[0]:
            self.returncode = int(self._reports.readline())
            self._reports.close()
        return self.returncode


def can_fork(environment: Mapping[str, str]) -> bool:
    """Tell whether a command sees such variables, all of which it is given.

    Those that a process reads when it starts come too late, if they are others than here.
    """
    names = environment.keys() | _STARTED_WITH.keys()
    changed = {name for name in names if environment.get(name) != _STARTED_WITH.get(name)}
    if KILL in environment:
        changed.discard("PYTHONPATH")  # what it is there for is done by `install_kill`
    return not any(name.startswith(_READ_AT_START) for name in changed)


def fork(
    words: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    out: int,
    errors: int,
    *,
    children: bool = True,
) -> Forked:
    """Run ``pacs-ai WORDS`` in a folder.

    Parameters
    ----------
    environment
        All of it.
    out, errors
        Descriptors of its standard output and of its standard error.
    children
        Whether the children of a node are forked, too.
    """
    reports, write_end = os.pipe()
    order = {
        "words": list(words),
        "folder": str(folder),
        "environment": dict(environment),
        "children": children and words[0] == "listen",
    }
    try:
        socket.send_fds(_server(), [json.dumps(order).encode()], [out, errors, write_end])
    finally:
        os.close(write_end)
    return Forked(reports)


def run(
    words: Sequence[str],
    folder: Path,
    timeout: float,
    environment: Mapping[str, str] = os.environ,
) -> subprocess.CompletedProcess[str]:
    """Run ``pacs-ai WORDS`` in a folder to its end, and return what it has written."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        process = fork(words, folder, environment, out.fileno(), errors.fileno())
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        out.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(list(words), status, out.read(), errors.read())


@functools.cache
def _server() -> socket.socket:
    """Start the process that forks; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )

    @atexit.register
    def end() -> None:
        ours.close()
        process.wait()

    return ours


def install_kill(order: str) -> None:
    """Let this process die at a point, once, as `tests/crash/hook` does it in a new process."""
    spec = importlib.util.spec_from_file_location("kill_hook", HOOK)
    assert spec is not None
    assert spec.loader is not None
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    hook.install_once(order)


def _install_ordered_kill() -> None:
    if kill := os.environ.get(KILL):
        install_kill(kill)


def _serve(orders: socket.socket) -> int:
    """Fork for each order, until there is nobody who could give one.

    Returns
    -------
    int
        The exit code: of this process, or of the command in one that it has forked.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for those that it forks
    for name in IMPORTED:
        importlib.import_module(name)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait
    while True:
        content, descriptors, _, _ = socket.recv_fds(orders, _LIMIT, 3)
        if not content:
            return 0
        if os.fork() == 0:
            orders.close()
            return _command(json.loads(content), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _command(order: dict[str, Any], out: int, errors: int, reports: int) -> int:
    """Fork the process of a command, and run the command in it; the other one reports its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if pid := os.fork():
        os.close(out)
        os.close(errors)
        os.write(reports, f"{pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        os.write(reports, f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os._exit(0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(out, 1)
    os.dup2(errors, 2)
    for descriptor in (out, errors, reports):
        os.close(descriptor)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    if order["children"]:
        forked_children.fork_children(_install_ordered_kill)
    _install_ordered_kill()
    sys.argv = ["pacs-ai", *order["words"]]
    return cli.run(order["words"])


if __name__ == "__main__":
    sys.exit(_serve(socket.socket(fileno=int(sys.argv[1]))))
