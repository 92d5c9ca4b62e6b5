"""Time behind a seam, so that a test can move it."""

import _thread
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Protocol


def pause(seconds: float) -> None:
    """Wait by the monotonic clock.

    As `time.sleep`, which fails with EINVAL where a library (libfaketime) sets the date of a
    process.
    """
    threading.Event().wait(seconds)


class Clock(Protocol):
    """Two clocks: one gives the date and may jump, the other only counts."""

    def now(self) -> datetime:
        """Date and time, UTC. For records and for what people read."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment. For quiet times and leases."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The clocks of the machine."""

    def now(self) -> datetime:
        """Date and time, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        pause(seconds)


class ManualClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = start
        self._monotonic = 0.0

    def now(self) -> datetime:
        """Date and time, UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds this clock was moved."""
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        """Move on by so much, at once."""
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move both clocks on."""
        self._monotonic += seconds
        self._now += timedelta(seconds=seconds)

    def jump(self, seconds: float) -> None:
        """Move the date only, as a time server does."""
        self._now += timedelta(seconds=seconds)


class SteadyDate:
    """The date by which things age: never ahead of what has gone by since this was made.

    A clock that was set forth, by hours or by a worn battery to another year, makes nothing old.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begin = clock.now()
        self._monotonic = clock.monotonic()

    def now(self) -> datetime:
        """Date and time, UTC."""
        gone = timedelta(seconds=self._clock.monotonic() - self._monotonic)
        return min(self._clock.now(), self._begin + gone)


@contextlib.contextmanager
def heartbeat(seconds: float, beat: Callable[[], None]) -> Iterator[None]:
    """Call `beat` every `seconds` seconds, in a thread of its own, while the block runs."""
    done, beating = threading.Event(), threading.Lock()

    def heart() -> None:
        while not done.wait(seconds):
            with beating:
                if not done.is_set():
                    beat()

    # `threading.Thread.start` would wait until the thread runs, which takes milliseconds where all
    # cores are busy; most blocks end before the first beat.
    _thread.start_new_thread(heart, ())
    try:
        yield
    finally:
        done.set()
        with beating:  # no beat comes after the block
            pass
