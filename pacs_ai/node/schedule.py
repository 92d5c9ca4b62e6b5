"""Sweeps at intervals, or when they are woken.

They keep no state: each reads the rows, and may run on any node.

APScheduler plans by the date, which a time server or a person may change; see `_Scheduler`.
"""

import math
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.job import Job
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from pacs_ai.clock import Clock
from pacs_ai.engine.wakeups import Wakeups
from pacs_ai.errors import PacsAIError
from pacs_ai.logs import Outage, get_logger

T = TypeVar("T")

_STEP_SECONDS = 1.0
"""A plan that is wrong by this much is corrected; smaller steps are normal clock corrections."""

_LOOK_SECONDS = 5.0
"""Longest time between two comparisons of the clocks."""

_log = get_logger()


class Schedule:
    """Calls functions at intervals, each of them in one thread at a time.

    Intervals are measured on the monotonic clock: a change of the date neither stops nor repeats
    a sweep.

    Parameters
    ----------
    clock
        The machine's clocks.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._threads = _Threads()
        self._closed = threading.Event()
        self._woken: list[_Woken] = []
        self._scheduler = _Scheduler(
            timezone="UTC",
            executors={"default": self._threads},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def every(self, seconds: float, name: str, sweep: Callable[[], object]) -> None:
        """Run `sweep` at this interval; a failure is logged, and the sweep runs again."""
        guarded = partial(_guarded, name, sweep, Outage())
        self._scheduler.add_job(guarded, _Every(seconds, self._clock), id=name)

    def when_woken(
        self, wakeups: Wakeups, kinds: Collection[str], name: str, sweep: Callable[[], float]
    ) -> None:
        """Run `sweep` at each wake-up of some kinds, and when it is due, in a thread of its own.

        Parameters
        ----------
        sweep
            Returns the seconds until it is due by itself.
        """
        self._woken.append(_Woken(wakeups, kinds, name, sweep))

    def start(self) -> None:
        """Begin."""
        for woken in self._woken:
            self._threads.start_thread(partial(woken.run, self._closed), woken.name)
        self._scheduler.start()

    def close(self) -> None:
        """Start no more sweeps; running ones continue."""
        self._closed.set()
        for woken in self._woken:
            woken.wakeups.wake_here(woken.kinds)
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def join(self, deadline: float) -> bool:
        """Wait for running sweeps until a time on the monotonic clock; True if all have ended."""
        return self._threads.join(deadline)


def _guarded(name: str, sweep: Callable[[], T], outage: Outage) -> T | None:
    """Run a sweep; None if it failed, which is logged once for each outage."""
    result: T | None = None
    try:
        result = sweep()
    except PacsAIError as error:
        if outage.begins(error.code):
            _log.warning("sweep failed", sweep=name, error=error.code, reason=error.message)
    except Exception as error:  # noqa: BLE001 - one bad sweep must not end all later ones
        _log.error("sweep failed unexpectedly", sweep=name, error=type(error).__name__)
    else:
        if outage.ends():
            _log.info("sweep works again", sweep=name)
    return result


@dataclass(frozen=True, slots=True)
class _Woken:
    """A sweep that runs when it is woken."""

    wakeups: Wakeups
    kinds: Collection[str]
    name: str
    sweep: Callable[[], float]

    def run(self, closed: threading.Event) -> None:
        outage = Outage()
        while not closed.is_set():
            count = self.wakeups.count(self.kinds)
            due = _guarded(self.name, self.sweep, outage)
            self.wakeups.wait(self.kinds, count, math.inf if due is None else due)


class _Every(BaseTrigger):  # type: ignore[misc] # it has no types
    """Fires at an interval after it fired last, and knows the next time on both clocks."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._seconds = seconds
        self._clock = clock
        self._due = 0.0

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        """Return when it is due next, which is later than `now`.

        APScheduler asks again until the answer is later. If the date was set back after
        APScheduler read it, the answer by the current date would not be later for hours.
        """
        interval = timedelta(seconds=self._seconds)
        self._due = self._clock.monotonic() + self._seconds
        return max(self.date(), now + interval)

    def date(self) -> datetime:
        """Return that time by the current date."""
        return self._clock.now() + timedelta(seconds=self._due - self._clock.monotonic())


class _Scheduler(BackgroundScheduler):  # type: ignore[misc] # it has no types
    """Corrects its plan when the date is changed.

    APScheduler waits on the monotonic clock, but it waits for a date. If the date were set back by
    hours, it would wait for hours; if it were set forward, it would count runs as missed.
    """

    def _process_jobs(self) -> float | None:
        """Run what is due; return the seconds until the next run."""
        self._correct()
        seconds: float | None = super()._process_jobs()
        # the date may change at any time
        return None if seconds is None else min(seconds, _LOOK_SECONDS)

    def _correct(self) -> None:
        step = 0.0
        for job in self.get_jobs():
            if job.next_run_time is None:
                continue
            date = job.trigger.date()
            astray = (date - job.next_run_time).total_seconds()
            if abs(astray) >= _STEP_SECONDS:
                step = astray
                job.modify(next_run_time=date)
        if step:
            _log.warning("the clock was set", seconds=round(step))


class _Threads(BaseExecutor):  # type: ignore[misc] # it has no types
    """Runs each sweep in a daemon thread: one that hangs does not keep the process alive."""

    def __init__(self) -> None:
        super().__init__()
        self._running: set[threading.Thread] = set()

    def _do_submit_job(self, job: Job, run_times: list[object]) -> None:
        self.start_thread(partial(self._run, job, run_times), job.id)

    def start_thread(self, target: Callable[[], None], name: str) -> None:
        """Start a thread that `join` waits for."""
        thread = threading.Thread(target=target, name=f"sweep-{name}", daemon=True)
        self._running = {one for one in self._running if one.is_alive()} | {thread}
        thread.start()

    def _run(self, job: Job, run_times: list[object]) -> None:
        events = run_job(job, job._jobstore_alias, run_times, self._logger.name)
        self._run_job_success(job.id, events)

    def join(self, deadline: float) -> bool:
        """Wait until a time on the monotonic clock; True if no run is left."""
        for thread in self._running:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._running)
