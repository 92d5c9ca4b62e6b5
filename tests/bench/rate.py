"""From the last image to the stored report, at the rate of a department and at the highest rate.

Usage: ``python -m tests.bench.rate [--studies 200] [--rate 300] [--write]``

Radiographs come at random times (Poisson), each on an association of its own, whether earlier ones
are answered or not. The clock is that of `tests.bench.latency`. At 300 studies an hour 200 of them
take 40 minutes; ``--rate 0`` leaves that part out. The highest rate is found from a burst
downwards, in steps of a tenth: the first at which no report takes longer than a second at the end.
"""

import argparse
import random
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom

from pacs_ai.net.scu import client
from pacs_ai.net.scu.client import PeerAddress
from tests.bench.latency import say
from tests.bench.latency_node import Running, running
from tests.bench.radiographs import burst, radiograph, renew
from tests.bench.report import machine, write
from tests.bench.states import ROOT

SEED = 13
WARM_UP = 20
SENDERS = 8
BURST = 300
HOUR = 3600.0
LATE_SECONDS = 1.0
"""A rate is sustained if the last reports of a run take no longer."""


@dataclass(frozen=True)
class Run:
    """Studies an hour, and the milliseconds of each report in the order of the studies."""

    rate: float
    milliseconds: Sequence[float]

    @property
    def sustained(self) -> bool:
        last = self.milliseconds[-len(self.milliseconds) // 10 :]
        return max(last) <= 1000 * LATE_SECONDS

    def row(self, what: str) -> str:
        middle, high, highest = np.percentile(self.milliseconds, [50, 95, 99])
        figures = f"{middle:.0f} | {high:.0f} | {highest:.0f}"
        return f"| {what} | {self.rate:,.0f} | {len(self.milliseconds)} | {figures} |"


def files(folder: Path, dataset: pydicom.Dataset, count: int) -> list[tuple[str, Path]]:
    """Write radiographs, each a study; return their UIDs and paths."""
    folder.mkdir(exist_ok=True)
    made = []
    for number in range(count):
        uid = renew(dataset)
        made.append((uid, folder / f"{number}.dcm"))
        dataset.save_as(made[-1][1])
    return made


def at_rate(one: Running, studies: Sequence[tuple[str, Path]], per_hour: float) -> Run:
    """Send studies at random times; wait for all reports."""
    chance = random.Random(SEED)  # noqa: S311 - no secret
    moments = np.cumsum([chance.expovariate(per_hour / HOUR) for _ in studies])
    began = time.monotonic() + 0.5
    due = iter([(began + moment, *study) for moment, study in zip(moments, studies, strict=True)])
    sent: dict[str, float] = {}
    taking = threading.Lock()
    threads = [
        threading.Thread(target=_send, args=(one, due, taking, sent)) for _ in range(SENDERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Run(per_hour, [1000 * (one.report_of(uid) - sent[uid]) for uid, _ in studies])


def _send(
    one: Running,
    due: Iterator[tuple[float, str, Path]],
    taking: threading.Lock,
    sent: dict[str, float],
) -> None:
    address = PeerAddress("AI_NODE", "127.0.0.1", one.port)
    while True:
        with taking:
            study = next(due, None)
        if study is None:
            return
        moment, uid, path = study
        time.sleep(max(0.0, moment - time.monotonic()))
        client.store(address, "BENCH", [path], on_answer=lambda _, uid=uid: _note(sent, uid))


def _note(sent: dict[str, float], uid: str) -> None:
    sent[uid] = time.monotonic()


def highest(one: Running, folder: Path, dataset: pydicom.Dataset, count: int) -> Run:
    """Find the highest rate that is sustained."""
    studies = files(folder / "burst", dataset, BURST)
    began = burst([path for _, path in studies], one)
    top = HOUR * BURST / (max(one.report_of(uid) for uid, _ in studies) - began)
    for tenths in range(10, 0, -1):
        time.sleep(2)
        run = at_rate(one, files(folder / str(tenths), dataset, count), top * tenths / 10)
        say(run.row(f"{tenths} tenths of a burst"))
        if run.sustained:
            return run
    raise RuntimeError("no rate was sustained: is the machine busy?")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=200, help="radiographs of each rate")
    parser.add_argument("--rate", type=float, default=300, help="studies an hour; 0: leave it out")
    parser.add_argument("--write", action="store_true", help="put the table into the document")
    options = parser.parse_args()
    lines = [
        "| radiographs come | studies/h | n | p50 ms | p95 ms | p99 ms |",
        "|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        dataset = radiograph(folder / "phantom", 0)
        with running("node", ROOT, "demo", folder / "node") as one:
            at_rate(one, files(folder / "first", dataset, WARM_UP), 10 * HOUR)
            most = highest(one, folder, dataset, options.studies)
            if options.rate:
                studies = files(folder / "steady", dataset, options.studies)
                steady = at_rate(one, studies, options.rate)
                lines.append(steady.row("as in a department"))
    lines.append(most.row("as fast as is sustained"))
    table = "\n".join(lines)
    say(table)
    if options.write:
        write("rate", f"On {machine()}.\n\n{table}")


if __name__ == "__main__":
    main()
