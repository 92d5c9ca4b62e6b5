"""The daemon's side of the worker processes: start, watch over, replace, end.

Workers analyse (`pacs_ai.worker`), and nothing they do can take the listener down with them.
"""

import subprocess
import time
from dataclasses import dataclass

from pacs_ai import child
from pacs_ai.app import App
from pacs_ai.flow.recover import take_back_from
from pacs_ai.logs import get_logger
from pacs_ai.store import leases

STOP_SECONDS = 8.0
"""How long a worker may go on with its job when the daemon stops."""

_log = get_logger()


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    owner: str
    started: float


class Workforce:
    """Starts worker processes and keeps their number.

    Parameters
    ----------
    app
        The node they work for.
    size
        How many processes.
    """

    def __init__(self, app: App, size: int) -> None:
        self._app = app
        self._size = size
        self._workers: list[_Worker] = []
        self._running: dict[tuple[str, int], float] = {}

    def start(self) -> None:
        """Start all workers."""
        for _ in range(self._size):
            self._workers.append(self._hire())

    def supervise(self) -> None:
        """Replace workers that died, and end those whose job takes too long."""
        for worker in list(self._workers):
            code = worker.process.poll()
            if code is None:
                continue
            self._workers.remove(worker)
            _log.error("worker died", owner=worker.owner, exit=code)
            take_back_from(self._app.context, worker.owner, leases.Blame.WORKER)
            if time.monotonic() - worker.started < child.RESTART_SECONDS:
                time.sleep(child.RESTART_SECONDS)
            self._workers.append(self._hire())
        self._end_overdue()

    def stop(self) -> None:
        """Let every worker finish within `STOP_SECONDS`, then end it; its job is queued again."""
        child.end([worker.process for worker in self._workers], STOP_SECONDS)
        for worker in self._workers:
            take_back_from(self._app.context, worker.owner, leases.Blame.NOBODY)
        self._workers.clear()

    def _hire(self) -> _Worker:
        name = f"{len(self._workers)}-{time.monotonic_ns() % 10**9}"
        bundles = {name: one.manifest_sha256 for name, one in self._app.bundles.items()}
        process, owner = child.start(
            self._app, "pacs_ai.worker", name, of=self._size, bundles=bundles
        )
        return _Worker(process, owner, time.monotonic())

    def _end_overdue(self) -> None:
        """End workers that hang in a native call: they would renew their lease for ever."""
        context = self._app.context
        with context.database.read() as session:
            held = [lease for lease in leases.held(session) if lease.is_job]
        now = time.monotonic()
        self._running = {
            (str(lease.id), lease.attempt): self._running.get((str(lease.id), lease.attempt), now)
            for lease in held
        }
        overdue = {
            lease.owner
            for lease in held
            if now - self._running[str(lease.id), lease.attempt]
            > context.config.engine.job_timeout_seconds
        }
        for worker in self._workers:
            if worker.owner in overdue:
                _log.error("job takes too long: its worker is ended", owner=worker.owner)
                worker.process.kill()
                worker.process.wait()
