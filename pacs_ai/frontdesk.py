"""The daemon's side of the receiving processes: start, listen to, replace, end.

What such a process does is in `pacs_ai.acceptor`.
"""

import json
import socket
import threading
import time
from dataclasses import dataclass, field
from queue import Queue
from typing import Any

from pacs_ai import child
from pacs_ai.acceptor import server_settings
from pacs_ai.app import App
from pacs_ai.child import Child
from pacs_ai.errors import ConfigError
from pacs_ai.logs import get_logger
from pacs_ai.net.scp.listener import cannot_listen, family_of
from pacs_ai.net.scp.server import DRAIN_SECONDS

_START_SECONDS = 60.0
_LOST = "failed"
"""Outcome of associations whose process died."""

_log = get_logger()


@dataclass(slots=True)
class _Acceptor:
    child: Child
    bringing: set[str] = field(default_factory=set)
    open: int = 0


class FrontDesk:
    """Several processes that receive on one port.

    The kernel gives each new connection to one of them. Limits on the number of associations
    count in each process for itself.

    Parameters
    ----------
    app
        The node they receive for.
    size
        How many processes.
    """

    def __init__(self, app: App, size: int) -> None:
        self._app = app
        self._size = size
        self._acceptors: list[_Acceptor] = []
        self._hired = 0
        self._stopping = threading.Event()
        self._reserved: list[socket.socket] = []
        self._first_words: Queue[dict[str, Any]] = Queue()
        self.port = 0
        self.tls_port = 0

    def start(self) -> None:
        """Start all, and return when each listens.

        Raises
        ------
        ConfigError
            If a port is taken, or one of them cannot start.
        """
        settings = server_settings(self._app.context.config)
        try:
            if settings.port is not None:
                self.port = self._reserve(settings.host, settings.port)
            if settings.tls is not None:
                self.tls_port = self._reserve(settings.host, settings.tls_port)
            for _ in range(self._size):
                self._acceptors.append(self._hire())
            self._await_all()
        except Exception:
            self.begin_to_stop()
            self.stop(time.monotonic() + DRAIN_SECONDS)
            raise

    def _await_all(self) -> None:
        for _ in range(self._size):
            said = self._first_words.get(timeout=_START_SECONDS)
            if "listening" not in said:
                raise ConfigError(str(said["failed"]))

    def supervise(self) -> None:
        """Replace those that died, were stopped or hang; once every `child.LOOK_SECONDS`."""
        for acceptor in list(self._acceptors):
            if self._stopping.is_set():
                return
            one = acceptor.child
            loss = one.look(self._app.context.config.engine.lease_seconds)
            if loss is not None:
                _log.error("receiving process is replaced", owner=one.owner, reason=loss.value)
                one.kill()
            if one.process.poll() is not None and not self._stopping.is_set():
                self._replace(acceptor)

    def _replace(self, acceptor: _Acceptor) -> None:
        one = acceptor.child
        self._acceptors.remove(acceptor)
        one.close()
        _log.error("receiving process died", owner=one.owner, exit=one.process.returncode)
        if one.young:
            self._stopping.wait(child.RESTART_SECONDS)
        if not self._stopping.is_set():
            self._acceptors.append(self._hire())

    def begin_to_stop(self) -> None:
        """Have all refuse what is new, and finish the C-STOREs they are at."""
        self._stopping.set()
        child.tell_to_end(acceptor.child for acceptor in self._acceptors)

    def stop(self, deadline: float) -> None:
        """Wait until a moment for those C-STOREs, then end all."""
        child.end([acceptor.child for acceptor in self._acceptors], deadline)
        self._acceptors.clear()
        for reserved in self._reserved:
            reserved.close()

    def _reserve(self, host: str, port: int) -> int:
        """Bind without listening: nobody else gets the port, and no connection comes here."""
        reserved = socket.socket(family_of(host), socket.SOCK_STREAM)
        self._reserved.append(reserved)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            reserved.bind((host, port))
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        except (OSError, OverflowError) as error:
            raise cannot_listen(host, port, error) from error
        bound: int = reserved.getsockname()[1]
        return bound

    def _hire(self) -> _Acceptor:
        self._hired += 1
        ports = {"port": self.port, "tls_port": self.tls_port}
        name = f"acceptor-{self._hired}"
        one = child.start(self._app, "pacs_ai.acceptor", name, listen=True, ports=ports)
        acceptor = _Acceptor(one)
        threading.Thread(
            target=self._listen_to, args=(acceptor,), name="acceptor", daemon=True
        ).start()
        return acceptor

    def _listen_to(self, acceptor: _Acceptor) -> None:
        """Note what one of them tells, until it ends; then its associations have ended, too."""
        assert acceptor.child.process.stdout is not None  # noqa: S101 - PIPE was asked for
        with acceptor.child.process.stdout as lines:
            for line in lines:
                self._note(acceptor, json.loads(line))
        self._first_words.put({"failed": "a receiving process ended: its log says why"})
        now = self._app.context.clock.monotonic()
        for association_id in acceptor.bringing:
            self._app.arrivals.closed(association_id, released=False, now=now)
        for _ in range(acceptor.open):
            self._app.traffic.ended(_LOST)

    def _note(self, acceptor: _Acceptor, said: dict[str, Any]) -> None:
        """Pass on one line to whom it is for."""
        if "stored" in said:
            study_id, revision, association_id, now = said["stored"]
            acceptor.bringing.add(association_id)
            self._app.arrivals.stored((study_id, revision), association_id, now)
        elif "closed" in said:
            association_id, released, now = said["closed"]
            acceptor.bringing.discard(association_id)
            self._app.arrivals.closed(association_id, released=released, now=now)
        elif "metered" in said:
            name, *values = said["metered"]
            acceptor.open += (name == "opened") - (name == "ended")
            getattr(self._app.traffic, name)(*values)
        else:
            self._first_words.put(said)
