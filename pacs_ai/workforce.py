"""The daemon's side of the worker processes: start, watch over, replace, end.

Workers analyse (`pacs_ai.worker`), and nothing they do can take the listener down with them.
"""

import threading
import time

from pacs_ai import child
from pacs_ai.app import App
from pacs_ai.errors import StorageError
from pacs_ai.flow.recover import take_back_from
from pacs_ai.logs import get_logger
from pacs_ai.store import leases

_log = get_logger()


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
        self._workers: list[child.Child] = []
        self._hired = 0
        self._stopping = threading.Event()
        self._running: dict[tuple[str, int], float] = {}

    def start(self) -> None:
        """Start all workers."""
        for _ in range(self._size):
            self._workers.append(self._hire())

    def supervise(self) -> None:
        """Replace workers that died, were stopped or hang, and end those that take too long.

        Called once every `pacs_ai.child.LOOK_SECONDS`.
        """
        for worker in list(self._workers):
            if self._stopping.is_set():
                return
            loss = worker.look(self._app.context.config.engine.lease_seconds)
            if loss is not None:
                _log.error("worker is replaced", owner=worker.owner, reason=loss.value)
                worker.kill()
            if worker.process.poll() is not None and not self._stopping.is_set():
                # who stops a worker from outside says nothing of its job
                nobody = loss is child.Loss.STOPPED
                self._replace(worker, leases.Blame.NOBODY if nobody else leases.Blame.WORKER)
        self._end_overdue()

    def begin_to_stop(self) -> None:
        """Tell every worker to finish its job and end; none is replaced any more."""
        self._stopping.set()
        child.tell_to_end(self._workers)

    def stop(self, deadline: float) -> list[str]:
        """Wait for the workers until a moment, then end them.

        Returns
        -------
        list of str
            Owners of the leases that those may hold who were ended.
        """
        child.end(self._workers, deadline)
        owners = [worker.owner for worker in self._workers]
        self._workers.clear()
        return owners

    def _replace(self, worker: child.Child, blame: leases.Blame) -> None:
        self._workers.remove(worker)
        worker.close()
        _log.error("worker died", owner=worker.owner, exit=worker.process.returncode)
        try:
            take_back_from(self._app.context, [worker.owner], blame)
        except StorageError as error:
            # the lease runs out by itself; without a worker nothing would be analysed any more
            _log.warning("job not taken back", owner=worker.owner, error=error.code)
        if worker.young:
            self._stopping.wait(child.RESTART_SECONDS)
        if not self._stopping.is_set():
            self._workers.append(self._hire())

    def _hire(self) -> child.Child:
        self._hired += 1
        return child.start(
            self._app,
            "pacs_ai.worker",
            f"worker-{self._hired}",
            of=self._size,
            bundles={name: one.manifest_sha256 for name, one in self._app.bundles.items()},
        )

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
                worker.kill()
