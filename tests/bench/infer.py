"""``pacs-ai infer`` of a checkout as a process of its own, with its time and its memory."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from tests.bench.states import environment

_SAMPLE_SECONDS = 0.05


@dataclass(frozen=True)
class Run:
    """Mean seconds of a study, processor seconds of a study, and the peak memory in MB or 0."""

    seconds: float
    cpu: float
    peak_mb: float


def infer(checkout: Path, bundle: Path, folder: Path, *, watched: bool = False) -> Run:
    """Analyse the studies of a folder; the first one warms up, unless it is the only one.

    Parameters
    ----------
    watched
        Whether the memory is sampled, which takes a little time.

    Raises
    ------
    ChildProcessError
        If the command fails, or makes no results of a study.
    """
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "pacs_ai", "infer", str(folder), "--json"]
        process = subprocess.Popen(
            [*command, "--model", str(bundle), "--out", out],
            cwd=checkout,
            env=environment(checkout),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        peak = _Peak(process.pid) if watched else None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        most = peak.stop() if peak else 0.0
    if process.returncode != 0:
        raise ChildProcessError(f"infer of {checkout} ends with {process.returncode}")
    records = json.loads(said)
    if not all(record["results"] for record in records):
        raise ChildProcessError(f"infer of {checkout}: {[r['reason'] for r in records]}")
    counted = records[1:] or records
    return Run(
        sum(record["seconds"] for record in counted) / len(counted),
        (usage.ru_utime + usage.ru_stime) / len(counted),
        most,
    )


class _Peak:
    """The largest memory of a process and its children, sampled; shared pages count once."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._most = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> float:
        self._done.set()
        self._thread.join()
        return self._most

    def _watch(self) -> None:
        while not self._done.wait(_SAMPLE_SECONDS):
            self._most = max(self._most, sum(map(_resident_mb, _tree(self._pid))))


def _tree(pid: int) -> list[int]:
    """Return a process and all processes below it; none that has ended."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += [int(child) for child in task.read_text().split()]
            except OSError:
                continue
    return found


def _resident_mb(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return int(text.split("Pss:")[1].split()[0]) / 1024 if "Pss:" in text else 0.0
