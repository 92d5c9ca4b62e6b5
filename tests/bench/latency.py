"""From the last byte of a radiograph to its report in the archive, and how many an hour.

Usage: ``python -m tests.bench.latency [--studies 1000] [--models demo,resnet50] [--write]``

The clock starts when the sender has its C-STORE response and releases
(``[study.modality.DX] release_seconds = 0``), and stops when the archive has the report's data set.
Sender and archive are pynetdicom, outside the node. The node of this checkout and that of an
earlier commit run beside one another and take turns, study by study; under load in blocks, as a
load meant for one would slow the other. ``--old`` or PACS_AI_OLD names a checkout of the earlier
commit; else one is made for the run.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom

from tests.bench.latency_node import Running, running
from tests.bench.radiographs import Sender, burst, load, radiograph, renew
from tests.bench.report import machine, write
from tests.bench.resnet50 import resnet50_bundle
from tests.bench.states import BEFORE, ROOT, old_checkout

NOW = "this checkout"
THEN = f"commit {BEFORE}"
SHARE = {"demo": 1.0, "resnet50": 0.25}
"""Of the studies that were asked for: larger networks take longer, and vary less."""
LOAD_PER_SECOND = {"demo": 2.0, "resnet50": 1.0}
GOALS = {
    ("demo", "idle"): "p50 <= 100, p95 <= 200",
    ("resnet50", "idle"): "p50 <= 150",
    ("demo", "burst"): ">= 60,000/h",
}
BLOCK = 25
WARM_UP = 5
BURST = 300


@dataclass(frozen=True)
class Case:
    """Milliseconds of each study, or studies an hour of each burst, of each state.

    ``cpu_ms``: processor's time of the node for each study of a burst.
    """

    model: str
    what: str
    measured: dict[str, list[float]]
    cpu_ms: dict[str, list[float]] = field(default_factory=dict)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def latency(sender: Sender, one: Running) -> float:
    """Send one study; return the milliseconds until its report is in the archive."""
    uid, moment = sender.send(one)
    return 1000 * (one.report_of(uid) - moment)


def idle(states: Sequence[Running], sender: Sender, studies: int) -> dict[str, list[float]]:
    """Measure states by turns with nothing else to do, each study at any phase of any poll."""
    taken: dict[str, list[float]] = {one.name: [] for one in states}
    for number in range(studies):
        for one in states if number % 2 else reversed(states):
            taken[one.name].append(latency(sender, one))
            time.sleep(random.uniform(0.05, 0.15))  # noqa: S311 - no secret
    return taken


def loaded(
    states: Sequence[Running], sender: Sender, studies: int, dataset: pydicom.Dataset, rate: float
) -> dict[str, list[float]]:
    """Measure states by turns while others send to them."""
    taken: dict[str, list[float]] = {one.name: [] for one in states}
    for _ in range(max(1, studies // BLOCK)):
        for one in states:
            with load(dataset, one, rate):
                time.sleep(1)
                taken[one.name] += [latency(sender, one) for _ in range(min(BLOCK, studies))]
            time.sleep(1)
    return taken


def bursts(
    states: Sequence[Running],
    dataset: pydicom.Dataset,
    folder: Path,
    options: argparse.Namespace,
    model: str,
) -> Case:
    """Measure studies an hour, from the first association to the last report, by turns."""
    size: int = options.burst
    rates: dict[str, list[float]] = {one.name: [] for one in states}
    cpu: dict[str, list[float]] = {one.name: [] for one in states}
    for number in range(options.rounds):
        for one in states if number % 2 else reversed(states):
            uids, paths = [], []
            for image in range(size):
                uids.append(renew(dataset))
                paths.append(folder / f"{image}.dcm")
                dataset.save_as(paths[-1])
            before = one.cpu_ms()
            began = burst(paths, one)
            last = max(one.report_of(uid) for uid in uids)
            rates[one.name].append(3600 * size / (last - began))
            time.sleep(2)
            cpu[one.name].append((one.cpu_ms() - before) / size)
    return Case(model, "burst", rates, cpu)


def measure(
    model: str, checkouts: dict[str, Path], folder: Path, options: argparse.Namespace
) -> list[Case]:
    """Measure one model in all ways."""
    bundle = "demo" if model == "demo" else str(resnet50_bundle(folder / "resnet50"))
    dataset = radiograph(folder / f"{model}-phantom", options.side)
    sender = Sender(dataset)
    rate, share = LOAD_PER_SECOND[model], SHARE[model]
    with ExitStack() as stack:
        states = [
            stack.enter_context(running(name, checkout, bundle, folder / model / str(number)))
            for number, (name, checkout) in enumerate(checkouts.items())
        ]
        for one in states:  # the first one waits until the worker has its model
            for _ in range(WARM_UP):
                latency(sender, one)
        cases = [Case(model, "idle", idle(states, sender, round(share * options.studies)))]
        say(table(cases[-1:]))
        if options.loaded:
            under_load = loaded(states, sender, round(share * options.loaded), dataset, rate)
            cases.append(Case(model, f"{rate:g} other studies/s", under_load))
            say(table(cases[-1:]))
        if options.rounds:
            files = folder / model / "burst"
            files.mkdir()
            cases.append(bursts(states, dataset, files, options, model))
            say(table(cases[-1:]))
    return cases


def table(cases: Sequence[Case]) -> str:
    """The figures as tables for docs/performance.md."""
    lines = [
        "| model | while | state | n | p50 ms | p95 ms | p99 ms | goal |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case in cases:
        for name, values in case.measured.items():
            goal = GOALS.get((case.model, case.what), "") if name == NOW else ""
            if case.what == "burst":
                cpu = np.median(case.cpu_ms[name])
                figures = (
                    f"{len(values)} bursts | {np.median(values):,.0f} studies/h"
                    f" | {cpu:.0f} ms CPU of the node a study | "
                )
            else:
                middle, high, highest = np.percentile(values, [50, 95, 99])
                figures = f"{len(values)} | {middle:.0f} | {high:.0f} | {highest:.0f}"
            lines.append(f"| {case.model} | {case.what} | {name} | {figures} | {goal} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000, help="of each state, idle")
    parser.add_argument("--loaded", type=int, default=250, help="of each, under load; 0: none")
    parser.add_argument("--burst", type=int, default=BURST, help="radiographs of a burst")
    parser.add_argument("--rounds", type=int, default=3, help="bursts of each state; 0: none")
    parser.add_argument("--models", default="demo,resnet50")
    parser.add_argument("--side", type=int, default=0, help="rows and columns; 0: as drawn")
    parser.add_argument("--old", type=Path, help=f"a checkout to compare with; else {BEFORE}")
    parser.add_argument("--write", action="store_true", help="put the table into the document")
    options = parser.parse_args()
    with old_checkout(options.old) as old, tempfile.TemporaryDirectory() as folder:
        checkouts = {**({THEN: old} if old else {}), NOW: ROOT}
        cases = [
            case
            for model in options.models.split(",")
            for case in measure(model, checkouts, Path(folder), options)
        ]
    if options.write:
        write("latency", f"By turns on {machine()}.\n\n{table(cases)}")


if __name__ == "__main__":
    main()
