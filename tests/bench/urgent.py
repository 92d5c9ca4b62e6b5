"""How long an urgent study waits behind others, and how long routine work waits beside urgent work.

Usage: ``python -m tests.bench.urgent [--rounds 5] [--waiting 100]``

An urgent radiograph is sent right after so many others, which wait for the one worker. Its latency,
from the release to its report in the archive, is compared with that on an idle node. A node that
keeps a worker free for urgent studies and one that does not (``urgent_worker = false``) take turns.
Then the first one gets urgent studies and a few routine ones at once: the last line says how many
urgent reports were in the archive before the last routine one.
"""

import argparse
import copy
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pydicom

from tests.bench.latency import WARM_UP, latency, say
from tests.bench.latency_node import Running, running
from tests.bench.radiographs import Sender, burst, radiograph, renew
from tests.bench.states import ROOT

GOAL = 1.2
"""An urgent study may take so many times as long as on an idle node."""
_URGENT = '\n[routing]\nurgent = { CallingAET = "STAT" }\n'
_STATES = {
    "a worker for urgent studies": _URGENT,
    "one worker for all": f"{_URGENT}[engine]\nurgent_worker = false\n",
}
_FEW = 10


def many(dataset: pydicom.Dataset, folder: Path, number: int) -> tuple[list[str], list[Path]]:
    """Write studies of one radiograph each; return their UIDs and files."""
    other, uids, paths = copy.deepcopy(dataset), [], []
    for image in range(number):
        uids.append(renew(other))
        paths.append(folder / f"waiting-{image}.dcm")
        other.save_as(paths[-1])
    return uids, paths


def behind(
    states: Sequence[Running], stat: Sender, dataset: pydicom.Dataset, folder: Path, waiting: int
) -> dict[str, tuple[float, int]]:
    """Return the latency of an urgent study behind others, and how many were still to come."""
    found = {}
    for one in states:
        uids, paths = many(dataset, folder, waiting)
        burst(paths, one)
        uid, moment = stat.send(one)
        there = one.report_of(uid)
        later = sum(one.report_of(other) > there for other in uids)
        found[one.name] = (1000 * (there - moment), later)
    return found


def overtaken(one: Running, stat: Sender, dataset: pydicom.Dataset, folder: Path) -> float:
    """Return the share of routine reports among those up to the last of them."""
    uids, paths = many(dataset, folder, _FEW)
    urgent = [stat.send(one)[0] for _ in range(_FEW)]
    burst(paths, one)
    urgent += [stat.send(one)[0] for _ in range(10 * _FEW)]
    last = max(one.report_of(uid) for uid in uids)
    first = min(one.report_of(uid) for uid in uids)
    between = sum(first <= one.report_of(uid) <= last for uid in urgent)
    return len(uids) / (len(uids) + between)


def main() -> None:
    """Measure, and print a table."""
    options = _options()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pacs-ai-urgent-")))
        states = [
            stack.enter_context(running(name, ROOT, "demo", folder / str(n), extra))
            for n, (name, extra) in enumerate(_STATES.items())
        ]
        dataset = radiograph(folder / "phantom", options.side)
        stat = Sender(copy.deepcopy(dataset), "STAT")
        for one in states:
            for _ in range(WARM_UP):
                latency(stat, one)
        idle = {one.name: [latency(stat, one) for _ in range(20)] for one in states}
        rounds = [
            behind(states, stat, dataset, folder, options.waiting) for _ in range(options.rounds)
        ]
        for name, taken in idle.items():
            middle = statistics.median(taken)
            busy = statistics.median(one[name][0] for one in rounds)
            later = statistics.median(one[name][1] for one in rounds)
            say(
                f"{name}: idle {middle:.0f} ms, urgent behind {options.waiting} waiting"
                f" {busy:.0f} ms: {busy / middle:.2f} times (goal {GOAL});"
                f" {later:.0f} of them later"
            )
        share = overtaken(states[0], stat, dataset, folder)
        say(f"routine studies among many urgent ones: {share:.0%} of reports")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Urgent studies.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--waiting", type=int, default=100)
    parser.add_argument("--side", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
