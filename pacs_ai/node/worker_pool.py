"""The worker processes, as the daemon sees them: start, supervise, replace, end.

Workers analyse (`pacs_ai.node.worker`). A worker that crashes does not affect the listener.
"""

import contextlib
import os
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from pacs_ai.config.sections import Engine
from pacs_ai.domain import TaskKind
from pacs_ai.errors import StorageError
from pacs_ai.flow.classifiers import on_device
from pacs_ai.flow.current_rules import up_to_date
from pacs_ai.flow.recover import take_back_from
from pacs_ai.flow.replaced_runtimes import forget_replaced
from pacs_ai.flow.shadow import has_shadows
from pacs_ai.flow.urgency import may_be_urgent
from pacs_ai.logs import get_logger
from pacs_ai.node import child_process
from pacs_ai.node.app import URGENT_WORKER, WORKER, App, Share
from pacs_ai.node.forks import ForkServer, shares_models
from pacs_ai.store import leases

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Work:
    """What the workers of a pool are called and do, and the module that they run."""

    name: str
    module: str
    share: Share


LIVE = Work("worker", "pacs_ai.node.worker", WORKER)
URGENT = Work("urgent", "pacs_ai.node.worker", URGENT_WORKER)
SHADOW = Work("shadow", "pacs_ai.node.shadow_worker", Share((TaskKind.SHADOW,)))


class WorkerPool:
    """Starts worker processes and replaces those that end.

    Parameters
    ----------
    app
        The node they work for.
    size
        How many processes. ``auto`` begins with one, with all threads. Meanwhile it is measured
        whether as many as there are cores, with a thread each, do more; then they take its place.
    work
        What they do.
    """

    def __init__(self, app: App, size: int | Literal["auto"], work: Work = LIVE) -> None:
        self._app = app
        self._work = work
        self._size = 1 if size == "auto" else size
        self._retired: set[str] = set()
        self._overdue: set[str] = set()
        self._workers: list[child_process.ChildProcess] = []
        self._devices: dict[str, str] = {}
        self._started = 0
        self._server: ForkServer | None = None
        self._choosing = size == "auto"
        if shares_models(app.context.config.engine, size):
            self._server = ForkServer(app, choose=self._choosing)
        self._stopping = threading.Event()
        self._running: dict[tuple[str, int], float] = {}

    @property
    def sharing(self) -> int:
        """How many workers share the cores: each has its part of them as threads."""
        return self._size

    def start(self) -> None:
        """Start all workers, or what forks them."""
        if self._server is not None:
            self._server.start()
        self._fill()

    def supervise(self) -> None:
        """Replace workers that died, were stopped or hang; kill those whose job takes too long.

        Called once every `pacs_ai.node.child_process.CHECK_SECONDS`.
        """
        for worker in list(self._workers):
            if self._stopping.is_set():
                return
            loss = worker.check(self._app.context.config.engine.lease_seconds)
            if loss is not None:
                _log.error("worker is replaced", owner=worker.owner, reason=loss.value)
                worker.kill()
            if worker.process.poll() is not None and not self._stopping.is_set():
                self._replace(worker, self._blame(worker, loss))
        self._fill()
        self._end_overdue()

    def _blame(
        self, worker: child_process.ChildProcess, loss: child_process.Loss | None
    ) -> leases.Blame:
        if worker.owner in self._overdue:
            return leases.Blame.TIME
        # a worker that was stopped from outside does not show that the job is bad
        nobody = loss is child_process.Loss.STOPPED or worker.owner in self._retired
        return leases.Blame.NOBODY if nobody else leases.Blame.WORKER

    def resize(self, size: int) -> None:
        """Have another number of workers; those that are too many finish their job and end."""
        self._size = size
        left = [worker for worker in self._workers if worker.owner not in self._retired][size:]
        self._retired |= {worker.owner for worker in left}
        child_process.terminate(left)

    def begin_stop(self) -> None:
        """Tell every worker to finish its job and end; from now on none is replaced."""
        self._stopping.set()
        child_process.terminate(self._workers)

    def stop(self, deadline: float) -> list[str]:
        """Wait for the workers until the deadline, then kill those that still run.

        Returns
        -------
        list of str
            Owners of the leases that the workers may still hold.
        """
        child_process.wait_or_kill(self._workers, deadline)
        if self._server is not None:
            self._server.stop()
        owners = [worker.owner for worker in self._workers]
        self._workers.clear()
        return owners

    def _replace(self, worker: child_process.ChildProcess, blame: leases.Blame) -> None:
        self._workers.remove(worker)
        worker.close()
        forget_replaced(self._app.context.spool, worker.owner.rpartition("/")[2])
        if worker.owner not in self._retired:
            _log.error("worker died", owner=worker.owner, exit=worker.process.returncode)
        try:
            take_back_from(self._app.context, [worker.owner], blame)
        except StorageError as error:
            # the lease runs out by itself; the new worker is needed in any case
            _log.warning("job not taken back", owner=worker.owner, error=error.code)
        if worker.just_started:
            self._stopping.wait(child_process.RESTART_SECONDS)
        self._retired.discard(worker.owner)
        self._overdue.discard(worker.owner)

    def _fill(self) -> None:
        """Start the workers that are missing, as soon as they can start."""
        launch = child_process.module(self._work.module)
        ready = self._server is not None and self._server.ready()
        if self._choosing and (ready or self._server is None):
            self._choose()
        if self._server is not None and not self._choosing:
            if not ready:
                return
            launch = self._server.launch
        while len(self._workers) - len(self._retired) < self._size and not self._stopping.is_set():
            try:
                self._workers.append(self._start_one(launch))
            except OSError as error:
                _log.error("worker cannot start", error="OS", reason=str(error))
                return

    def _choose(self) -> None:
        """Let the workers that do most take the place of the first, which finishes its job."""
        self._choosing = False
        if self._server is not None and not self._server.several:
            self._server.stop()
            self._server = None
        if self._server is not None:
            self._retired = {worker.owner for worker in self._workers}
            child_process.terminate(self._workers)
            self._size = os.cpu_count() or 1

    def _start_one(self, launch: child_process.Launch) -> child_process.ChildProcess:
        self._started += 1
        device = self._free_device()
        child = child_process.start(
            self._app,
            launch,
            f"{self._work.name}-{self._started}",
            kinds=self._work.share.kinds,
            config=on_device(self._app.context.config, device).model_dump(mode="json"),
            urgent_only=self._work.share.urgent_only,
            of=self.sharing,
            bundles={name: one.manifest_sha256 for name, one in self._app.bundles.items()},
        )
        self._devices[child.owner] = device
        return child

    def _free_device(self) -> str:
        """Return the device that the fewest workers have."""
        used = Counter(self._devices[worker.owner] for worker in self._workers)
        return min(self._app.context.config.engine.devices, key=lambda device: used[device])

    def _end_overdue(self) -> None:
        """Kill workers that hang in a native call: their lease is renewed without end."""
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
                self._overdue.add(worker.owner)
                worker.kill()


class UrgentWorkerPool(WorkerPool):
    """A worker that is kept free for urgent studies, while the rules in force have any.

    A job that runs is not interrupted: without this worker an urgent one would wait for it.

    Parameters
    ----------
    others
        The workers for all studies. This one has as many threads as each of them: a network may
        round otherwise with another number, and a job that is done again has to give the same.
    """

    def __init__(self, app: App, others: WorkerPool) -> None:
        super().__init__(app, 0, URGENT)
        self._others = others
        self._sharing = others.sharing

    @property
    def sharing(self) -> int:
        """How many workers share the cores; this one, which rarely works, does not count."""
        return self._sharing

    def supervise(self) -> None:
        """Start or end the worker, if a reload of the rules asks for that; then as all pools."""
        with contextlib.suppress(StorageError):  # until the rules can be read again
            wanted = may_be_urgent(up_to_date(self._app.context).config)
            if self._sharing != self._others.sharing:  # these were chosen by a measurement
                self._sharing = self._others.sharing
                self.resize(0)
            self.resize(int(wanted))
        super().supervise()


def worker_pools(app: App, workers: int | Literal["auto"]) -> dict[str, WorkerPool]:
    """Return the pools of a node by what they are for; none if it leaves all work to others.

    Parameters
    ----------
    workers
        The size of the first one for each device, as for `WorkerPool`.
    """
    if not workers:
        return {}
    pools = {"workers": WorkerPool(app, _processes(app.context.config.engine, workers))}
    if app.context.config.engine.urgent_worker:
        pools["urgent"] = UrgentWorkerPool(app, pools["workers"])
    if has_shadows(app.context):
        pools["shadows"] = WorkerPool(app, 1, SHADOW)
    return pools


def _processes(engine: Engine, workers: int | Literal["auto"]) -> int | Literal["auto"]:
    """Return how many workers there are in all; on GPUs nothing is measured, one each will do."""
    if engine.devices == ("cpu",):
        return workers
    return len(engine.devices) * (1 if workers == "auto" else workers)
