"""Time behind a seam, so that a test can move it."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Two clocks: one that tells the date and may jump, one that only counts."""

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
        time.sleep(seconds)


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


@contextlib.contextmanager
def beating(seconds: float, beat: Callable[[], None]) -> Iterator[None]:
    """Call `beat` every so many seconds, in a thread of its own, while the block runs."""
    done = threading.Event()

    def heart() -> None:
        while not done.wait(seconds):
            beat()

    thread = threading.Thread(target=heart, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
