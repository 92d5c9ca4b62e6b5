"""An outage has one line of the log when it begins, and one when it is over."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from pacs_ai.engine.table_engine import _logged_failure
from pacs_ai.errors import DatabaseBusy, StorageError
from pacs_ai.logs import Outage
from pacs_ai.node.schedule import _guarded

BUSY, BROKEN = DatabaseBusy("locked"), StorageError("gone")


def sweep(fault: Exception | None, outage: Outage) -> None:
    def work() -> float:
        if fault is not None:
            raise fault
        return 1.0

    assert _guarded("recover", work, outage) == (None if fault else 1.0)


def look(fault: Exception | None, outage: Outage) -> None:
    stop = threading.Event()
    stop.set()  # no pause
    with _logged_failure(stop, outage):
        if fault is not None:
            raise fault


ATTEMPTS = {
    "a sweep": (sweep, "sweep failed", "sweep works again"),
    "a look for tasks": (
        look,
        "the task table is out of reach",
        "the task table is in reach again",
    ),
}


@pytest.mark.parametrize("what", ATTEMPTS)
def test_an_outage_is_told_once_with_each_reason_and_its_end(what: str) -> None:
    attempt, begins, ends = ATTEMPTS[what]
    outage = Outage()
    faults = [None, BUSY, BUSY, BUSY, BROKEN, BROKEN, None, None, BUSY, None]
    assert lines(lambda: [attempt(fault, outage) for fault in faults]) == [
        (begins, BUSY.code),
        (begins, BROKEN.code),
        (ends, None),
        (begins, BUSY.code),
        (ends, None),
    ]


def test_an_error_of_the_program_is_told_each_time() -> None:
    outage = Outage()
    found = lines(lambda: [sweep(ZeroDivisionError(), outage) for _ in range(2)])
    assert found == [("sweep failed unexpectedly", "ZeroDivisionError")] * 2


def lines(work: Callable[[], Any]) -> list[tuple[str, str | None]]:
    with capture_logs() as logs:
        work()
    return [(line["event"], line.get("error")) for line in logs]
