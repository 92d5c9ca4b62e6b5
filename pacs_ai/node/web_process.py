"""The process that serves the page, as the daemon sees it: start, replace, end.

`pacs_ai.web.process` is what it runs. Nothing that happens to it reaches the rest of the node: it
has the database, the spool and a socket, and is replaced when it ends or hangs.
"""

import contextlib
import socket
import threading
import time

from pacs_ai.errors import ConfigError
from pacs_ai.logs import get_logger
from pacs_ai.net.scp.listener import family_of
from pacs_ai.node import child_process
from pacs_ai.node.app import App
from pacs_ai.node.arrival_reports import read_reports
from pacs_ai.node.child_process import ChildProcess

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0
_STABLE_SECONDS = 60.0
"""A process that ran for this time is started again at once, as if it had never ended before."""

_BACKLOG = 64

_log = get_logger()


class WebProcess:
    """Serves the page and the REST API from a process of its own.

    The daemon keeps the port: the process that takes the place of another gets the same one.

    Parameters
    ----------
    app
        The node.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._socket: socket.socket | None = None
        self._child: ChildProcess | None = None
        self._started = 0
        self._pause = 0.0
        self._due = 0.0
        self._stopping = False

    @property
    def port(self) -> int:
        """The port it has; 0 if it has none."""
        return 0 if self._socket is None else int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Take the port and start the process; what fails is logged, and tried again later."""
        web = self._app.context.config.web
        try:
            if self._socket is None:
                self._socket = listening_socket(web.host, web.port)
            self._started += 1
            number = self._socket.fileno()
            launch = child_process.module("pacs_ai.web.process", listen=True, keep=[number])
            name = f"web-{self._started}"
            self._child = child_process.start(self._app, launch, name, socket=number)
            args = (self._child,)
            threading.Thread(target=self._read_reports, args=args, name="web", daemon=True).start()
        except OSError as error:
            _log.error(
                "page not served",
                address=f"{web.host}:{web.port}",
                reason=(error.strerror or type(error).__name__).lower(),
            )
            self._try_again_later()

    def _read_reports(self, child: ChildProcess) -> None:
        """Note what arrives by STOW-RS, until the process ends."""
        assert child.process.stdout is not None  # noqa: S101 - PIPE was asked for
        with child.process.stdout as lines:
            for _ in read_reports(lines, self._app.arrivals, self._app.context.clock):
                pass

    def supervise(self) -> None:
        """Replace the process if it ended, was stopped or hangs.

        Called once every `pacs_ai.node.child_process.CHECK_SECONDS`.
        """
        child = self._child
        if self._stopping:
            return
        if child is None:
            if time.monotonic() >= self._due:
                self.start()
            return
        loss = child.check(self._app.context.config.engine.lease_seconds)
        if loss is not None:
            _log.error("page process is replaced", owner=child.owner, reason=loss.value)
            child.kill()
        if child.process.poll() is not None:
            _log.error("page process died", owner=child.owner, exit=child.process.returncode)
            child.close()
            self._child = None
            if child.process.returncode == ConfigError.exit_code:
                self._release()
            if time.monotonic() - child.started > _STABLE_SECONDS:
                self._pause = 0.0
            self._try_again_later()

    def begin_stop(self) -> None:
        """Tell the process to finish its answers and end; it is not replaced."""
        self._stopping = True
        if self._child is not None:
            child_process.terminate([self._child])

    def stop(self, deadline: float) -> None:
        """Wait for it until the deadline, then kill it."""
        if self._child is not None:
            child_process.wait_or_kill([self._child], deadline)
        self._release()

    def _release(self) -> None:
        """Give the port back: nobody may wait for an answer that will not come."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _try_again_later(self) -> None:
        """Wait for longer each time."""
        self._pause = min(max(2 * self._pause, _FIRST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
        self._due = time.monotonic() + self._pause


def listening_socket(host: str, port: int) -> socket.socket:
    """Open a socket that listens; who connects waits until a process accepts.

    Parameters
    ----------
    host, port
        Address to listen on; port 0 takes a free one.

    Raises
    ------
    OSError
        If the port is taken, or the address is not one of this machine.
    """
    with contextlib.ExitStack() as undo:
        listening = undo.enter_context(socket.socket(family_of(host), socket.SOCK_STREAM))
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
        undo.pop_all()
    return listening
