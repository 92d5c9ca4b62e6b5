"""The fork server, as the daemon sees it: start, ask for workers, replace, end."""

import os
import select
import socket
import sys
from collections.abc import Sequence
from typing import Literal

from pacs_ai.config.sections import Engine
from pacs_ai.logs import get_logger
from pacs_ai.node import child_process
from pacs_ai.node.app import App
from pacs_ai.node.process import AdoptedProcess, become_subreaper

READY = 1
"""What the server sends when it has loaded the models, before a byte that is 1 if several workers
do more than one."""

DESCRIPTORS = 3
"""Standard input, heartbeats, wake-ups: what it gets for each worker."""

_ANSWER_SECONDS = 10.0
_log = get_logger()


def shares_models(engine: Engine, workers: int | Literal["auto"]) -> bool:
    """Tell whether workers can be forked: one thread each, and a library that survives it."""
    cores = os.cpu_count() or 1
    workers = cores if workers == "auto" else workers
    one_thread = cores <= workers
    processor = (engine.runtime, engine.device) == ("onnxruntime", "cpu")
    return sys.platform == "linux" and workers > 1 and one_thread and processor


class ForkServer:
    """A process that has loaded the models and forks workers.

    Parameters
    ----------
    app
        The node.
    choose
        Whether to measure if several workers do more than one.
    """

    def __init__(self, app: App, *, choose: bool) -> None:
        self.several = not choose
        """Whether several workers do more than one; known once it is ready."""
        self._app = app
        self._choose = choose
        self._child: child_process.ChildProcess | None = None
        self._control: socket.socket | None = None
        self._ready = False

    def start(self) -> None:
        """Start the process; it loads the models meanwhile."""
        become_subreaper()
        self._control, theirs = socket.socketpair()
        self._control.settimeout(_ANSWER_SECONDS)
        with theirs:
            launch = child_process.module("pacs_ai.node.fork_server", keep=(theirs.fileno(),))
            self._child = child_process.start(
                self._app, launch, "fork-server", control=theirs.fileno(), choose=self._choose
            )
        self._ready = False

    def ready(self) -> bool:
        """Tell whether it can fork; start it again if it has ended."""
        child, control = self._child, self._control
        if child is None or control is None:
            return False
        if child.process.poll() is not None:
            if not child.just_started:
                _log.error("fork server died", owner=child.owner, exit=child.process.returncode)
                self._close()
                self.start()
            return False
        if not self._ready and select.select([control], [], [], 0)[0]:
            self._ready = len(answer := control.recv(2)) == 2  # noqa: PLR2004 - see READY
            if self._ready and self._choose:
                self.several, self._choose = bool(answer[1]), False
        return self._ready

    def launch(self, descriptors: Sequence[int]) -> AdoptedProcess:
        """Have a worker forked; see `pacs_ai.node.child_process.Launch`.

        Raises
        ------
        OSError
            If the server does not answer.
        """
        assert self._child is not None  # noqa: S101 - it is ready
        assert self._control is not None  # noqa: S101 - it is ready
        try:
            socket.send_fds(self._control, [b"."], list(descriptors))
            return AdoptedProcess(int(self._control.recv(64)))
        except (OSError, ValueError) as error:
            self._child.kill()  # and `ready` starts it again
            raise OSError("the fork server does not answer") from error

    def stop(self) -> None:
        """End the process; its workers go on."""
        if self._child is not None:
            self._child.kill()
            self._close()

    def _close(self) -> None:
        if self._child is not None and self._control is not None:
            self._child.close()
            self._control.close()
        self._child = self._control = None
