"""The receiving processes, as the daemon sees them: start, read their reports, replace, end.

`pacs_ai.node.receiver` is what such a process runs.
"""

import contextlib
import socket
import threading
import time
from queue import Queue
from typing import Any

from pacs_ai.errors import ConfigError, StorageError
from pacs_ai.flow.traffic import TrafficMeter
from pacs_ai.logs import get_logger
from pacs_ai.net.scp.listener import cannot_listen, family_of
from pacs_ai.net.scp.server import DRAIN_SECONDS
from pacs_ai.node import child_process
from pacs_ai.node.app import App
from pacs_ai.node.arrival_reports import read_reports
from pacs_ai.node.child_process import ChildProcess
from pacs_ai.node.receiver import server_settings

_START_SECONDS = 60.0

_log = get_logger()


class ReceiverPool:
    """Several processes that receive on one port.

    The kernel gives each new connection to one of them. Each process applies the limits on the
    number of associations for itself.

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
        self._receivers: list[ChildProcess] = []
        self._started = 0
        self._stopping = threading.Event()
        self._reserved: list[socket.socket] = []
        self._start_reports: Queue[dict[str, Any]] = Queue()
        self.port = 0
        self.tls_port = 0

    def start(self) -> None:
        """Start all processes; return when each of them listens.

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
                self._receivers.append(self._start_one())
            self._await_all()
        except Exception:
            self.begin_stop()
            self.stop(time.monotonic() + DRAIN_SECONDS)
            raise

    def _await_all(self) -> None:
        for _ in range(self._size):
            report = self._start_reports.get(timeout=_START_SECONDS)
            if "listening" not in report:
                raise ConfigError(str(report["failed"]))

    def supervise(self) -> None:
        """Replace processes that died, were stopped or hang.

        Called once every `pacs_ai.node.child_process.CHECK_SECONDS`.
        """
        for one in list(self._receivers):
            if self._stopping.is_set():
                return
            loss = one.check(self._app.context.config.engine.lease_seconds)
            if loss is not None:
                _log.error("receiving process is replaced", owner=one.owner, reason=loss.value)
                one.kill()
            if one.process.poll() is not None and not self._stopping.is_set():
                self._replace(one)

    def _replace(self, one: ChildProcess) -> None:
        self._receivers.remove(one)
        one.close()
        self._settle(one)
        _log.error("receiving process died", owner=one.owner, exit=one.process.returncode)
        if one.just_started:
            self._stopping.wait(child_process.RESTART_SECONDS)
        if not self._stopping.is_set():
            self._receivers.append(self._start_one())

    def _settle(self, one: ChildProcess) -> None:
        """Count the associations that a process had open when it died."""
        traffic = TrafficMeter(self._app.context.spool, one.owner.rpartition("/")[2])
        with contextlib.suppress(StorageError):
            traffic.begin()
        traffic.close()

    def begin_stop(self) -> None:
        """Tell all to refuse new associations and finish the C-STOREs that are in progress."""
        self._stopping.set()
        child_process.terminate(self._receivers)

    def stop(self, deadline: float) -> None:
        """Wait for those C-STOREs until the deadline, then kill all that still run."""
        child_process.wait_or_kill(self._receivers, deadline)
        self._receivers.clear()
        for reserved in self._reserved:
            reserved.close()

    def _reserve(self, host: str, port: int) -> int:
        """Bind without listening: no other program gets the port, and no connection comes here."""
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

    def _start_one(self) -> ChildProcess:
        self._started += 1
        ports = {"port": self.port, "tls_port": self.tls_port}
        name = f"receiver-{self._started}"
        launch = child_process.module("pacs_ai.node.receiver", listen=True)
        one = child_process.start(self._app, launch, name, ports=ports)
        threading.Thread(
            target=self._read_reports, args=(one,), name="receiver", daemon=True
        ).start()
        return one

    def _read_reports(self, one: ChildProcess) -> None:
        """Read the reports of one process until it ends."""
        assert one.process.stdout is not None  # noqa: S101 - PIPE was asked for
        with one.process.stdout as lines:
            for other in read_reports(lines, self._app.arrivals, self._app.context.clock):
                self._start_reports.put(other)
        self._start_reports.put({"failed": "a receiving process ended: its log says why"})
