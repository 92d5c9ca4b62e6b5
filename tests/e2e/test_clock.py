"""A node on a machine whose date is set back and forth by hours while it works.

It is killed at the end: processes share a lock of libfaketime's, and may hang in it when they end.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.archive import Archive, archive, to_archive
from tests.conftest import missing
from tests.node import Node, node
from tests.samples import new_study

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

RETRY = "retry_max_seconds = 20"
STEPS = ["-5h", "+30h", "-2d"]
"""By how much the date is wrong, one after the other."""


@pytest.fixture
def faketime() -> Path:
    """The library that tells a process another date (for programs with threads)."""
    found = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    if found is None:
        missing("libfaketime of Debian's faketime")
    return found


class Date:
    """The date of the node's machine; its monotonic clock goes on as ever."""

    def __init__(self, folder: Path, library: Path) -> None:
        self._file = folder / "date"
        self.set("+0")
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",  # without it each look at the clock reads the file
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, offset: str) -> None:
        draft = self._file.with_suffix(".new")
        draft.write_text(f"{offset}\n")
        draft.replace(self._file)


@pytest.fixture
def date(tmp_path: Path, faketime: Path) -> Date:
    return Date(tmp_path, faketime)


def _delivered(peer: Archive, studies: int) -> bool:
    return len(peer.stored) == 2 * studies


def _noticed(one: Node, steps: int) -> bool:
    """Whether a node has noticed these steps of the date: it has another one after a second."""
    return one.log.count("the clock was set") >= steps


def test_studies_are_analysed_and_delivered_at_every_date(
    tmp_path: Path, date: Date, free_port: Callable[[], int]
) -> None:
    port, node_port = free_port(), free_port()
    with (
        archive(port, node_port) as peer,
        node(tmp_path / "node", node_port, extra=to_archive(port, peer=RETRY)) as one,
    ):
        one.environment.update(date.environment)
        date.set(STEPS[0])
        one.start()
        for number, offset in enumerate(STEPS):
            date.set(offset)
            one.wait_for(partial(_noticed, one, number))
            assert one.send(*new_study(tmp_path / "sent")) == [0]
            one.wait_for(partial(_delivered, peer, number + 1))


def test_what_waited_for_an_archive_goes_out_after_the_clock_was_set_back(
    tmp_path: Path, date: Date, free_port: Callable[[], int]
) -> None:
    port, node_port = free_port(), free_port()
    with node(tmp_path / "node", node_port, extra=to_archive(port, peer=RETRY)) as one:
        one.environment.update(date.environment)
        one.start()
        assert one.send(*new_study(tmp_path / "sent")) == [0]
        one.wait_for(lambda: set(one.states("delivery")) == {"WAITING"})
        date.set("-20h")
        with archive(port, node_port) as peer:
            one.wait_for(lambda: len(peer.stored) == 2)
            one.wait_for(lambda: set(one.states("delivery")) == {"STORED"})
