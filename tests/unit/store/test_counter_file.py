"""Counts in a file: they outlive their process, and nothing of them is lost when it is killed."""

import subprocess
import sys
from pathlib import Path

import pytest

from pacs_ai.errors import StorageError
from pacs_ai.store.counter_file import CounterFile, read_counters

COUNTS = """
import os, signal, sys
from pathlib import Path
from pacs_ai.store.counter_file import CounterFile
counts = CounterFile(Path(sys.argv[1]))
counts.open()
for _ in range(1000):
    counts.add({"instances": 1})
    counts.add({"bytes": 0.5})
os.kill(os.getpid(), signal.SIGKILL)
"""


def counting(path: Path) -> CounterFile:
    counts = CounterFile(path)
    counts.open()
    return counts


def test_a_killed_process_has_lost_no_count(tmp_path: Path) -> None:
    path = tmp_path / "counts"
    for turn in (1, 2):
        done = subprocess.run([sys.executable, "-c", COUNTS, path], check=False)
        assert done.returncode == -9
        assert read_counters(path) == {"instances": 1000.0 * turn, "bytes": 500.0 * turn}


def test_counts_before_the_file_is_open_are_written_then(tmp_path: Path) -> None:
    path = tmp_path / "counts"
    counting(path).add({"a": 2})
    counts = CounterFile(path)
    counts.add({"a": 1})
    counts.add({"b": 1})
    assert read_counters(path) == {"a": 2.0}
    counts.open()
    assert read_counters(path) == counts.read() == {"a": 3.0, "b": 1.0}
    counts.close()
    counts.add({"a": 1})
    assert read_counters(path)["a"] == 3


def test_what_a_power_cut_left_half_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "counts"
    counts = counting(path)
    counts.add({"a": 1})
    counts.add({"b": 1})
    path.write_bytes(path.read_bytes()[:-1] + bytes(90))
    assert read_counters(path)["a"] == 1
    again = counting(path)
    again.add({"c": 1})
    assert read_counters(path)["c"] == 1
    assert "" not in read_counters(path)


def test_no_file_is_no_counts_and_no_folder_is_an_error(tmp_path: Path) -> None:
    assert read_counters(tmp_path / "counts") == {}
    with pytest.raises(StorageError):
        CounterFile(tmp_path / "missing" / "counts").open()
