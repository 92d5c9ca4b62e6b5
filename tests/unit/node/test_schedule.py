"""Sweeps on a machine whose date is set back and forth."""

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from apscheduler.schedulers import base

from pacs_ai.clock import SystemClock
from pacs_ai.node import schedule as scheduling
from pacs_ai.node.schedule import Schedule
from tests.node import wait_for

HOURS = 3600.0
SOON = 30.0
"""For something that takes a fraction of a second, on a machine with much else to do."""


class Date:
    """The date of the machine: what `SystemClock` tells, and APScheduler reads for itself."""

    def __init__(self) -> None:
        self.set_by = dt.timedelta()
        self._steps: dict[int, float] = {}
        self._readings = 0

    def now(self, zone: dt.tzinfo) -> dt.datetime:
        read = dt.datetime.now(zone) + self.set_by
        self._readings += 1
        self.step(self._steps.pop(self._readings, 0.0))
        return read

    def step_after(self, readings: int, seconds: float) -> None:
        """Set the date as soon as it has been read this number of times."""
        self._steps[self._readings + readings] = seconds

    def step(self, seconds: float) -> None:
        self.set_by += dt.timedelta(seconds=seconds)


class Clock(SystemClock):
    def __init__(self, date: Date) -> None:
        self._date = date

    def now(self) -> dt.datetime:
        return self._date.now(dt.UTC)


@pytest.fixture
def date(monkeypatch: pytest.MonkeyPatch) -> Date:
    one = Date()
    monkeypatch.setattr(base, "datetime", one)
    monkeypatch.setattr(scheduling, "_LOOK_SECONDS", 0.2)
    return one


@pytest.fixture
def schedule(date: Date) -> Iterator[Schedule]:
    one = Schedule(Clock(date))
    yield one
    one.close()
    assert one.join(time.monotonic() + SOON)


class Counter:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1

    def goes_on(self) -> None:
        before = self.calls
        wait_for(lambda: self.calls >= before + 3)


@pytest.mark.parametrize("hours", [-72, -3, 3, 72, 24 * 365 * 10])
def test_sweeps_go_on_when_the_clock_is_set(schedule: Schedule, date: Date, hours: float) -> None:
    sweep = Counter()
    schedule.every(0.05, "sweep", sweep)
    schedule.start()
    sweep.goes_on()
    date.step(hours * HOURS)
    sweep.goes_on()
    date.step(-hours * HOURS)
    sweep.goes_on()


@pytest.mark.parametrize("readings", range(1, 9))
@pytest.mark.parametrize("hours", [-72, 72])
def test_sweeps_go_on_when_the_clock_is_set_between_two_readings(
    schedule: Schedule, date: Date, hours: float, readings: int
) -> None:
    sweep = Counter()
    schedule.every(0.05, "sweep", sweep)
    schedule.start()
    sweep.goes_on()
    date.step_after(readings, hours * HOURS)
    sweep.goes_on()
    sweep.goes_on()


def test_a_long_interval_is_neither_shortened_nor_repeated(schedule: Schedule, date: Date) -> None:
    often, rarely = Counter(), Counter()
    schedule.every(0.05, "often", often)
    schedule.every(HOURS, "rarely", rarely)
    schedule.start()
    for hours in (-5, 30, -25, 1):
        date.step(hours * HOURS)
        often.goes_on()
    assert rarely.calls == 0


def test_a_sweep_that_fails_comes_again(schedule: Schedule) -> None:
    calls = Counter()

    def fail() -> None:
        calls()
        raise ZeroDivisionError

    schedule.every(0.05, "bad", fail)
    schedule.start()
    calls.goes_on()


@pytest.fixture
def hanging(schedule: Schedule) -> Iterator[Callable[[], bool]]:
    begun, over = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        over.wait(SOON)

    schedule.every(0.05, "hangs", hang)
    schedule.start()
    assert begun.wait(SOON)
    yield over.set
    over.set()


def test_a_sweep_that_hangs_is_not_waited_for_longer_than_said(
    schedule: Schedule, hanging: Callable[[], None]
) -> None:
    schedule.close()
    assert not schedule.join(time.monotonic() + 0.2)
    hanging()
    assert schedule.join(time.monotonic() + SOON)


def test_a_sweep_at_work_does_not_hold_up_the_others(
    schedule: Schedule, hanging: Callable[[], None]
) -> None:
    other = Counter()
    schedule.every(0.05, "other", other)
    other.goes_on()
    hanging()
