"""Whole studies from files to results, old beside new, and the memory that they take.

Usage: ``python -m tests.bench.studies [--rounds 3] [--loads "CT,MG"] [--no-memory] [--write]``

``pacs-ai infer`` of this checkout and of an earlier commit take turns: each run is a process of its
own that reads headers and pixels, classifies, explains, and makes report and captures, as the node
does. The time of a study is what the command says of it; a small study before it warms up.
``--old`` or PACS_AI_OLD names a checkout of the earlier commit; else one is made for the run. The
peaks of memory are those of the process with its children; pages that they share count once.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from tests.bench.infer import Run, infer
from tests.bench.report import machine, write
from tests.bench.resnet50 import resnet50_bundle
from tests.bench.states import BEFORE, ROOT, old_checkout
from tests.bench.study_loads import radiographs, small_bundle, stack, with_findings

Write = Callable[[Path], None]
T = TypeVar("T")

OLD_MEMORY = 1000
"""Most slices that the earlier commit gets: it took 7.7 GB for them."""


@dataclass(frozen=True)
class Load:
    """What is analysed, with which bundle on either side; ``images`` in each study."""

    name: str
    write: Write
    old: str
    new: str
    images: int
    goal: float


LOADS = (
    Load("CT, 300 slices", partial(stack, slices=300), "one", "one", 300, 1.15),
    Load(
        "CT, 300 slices, JPEG 2000",
        partial(stack, slices=300, compressed=True),
        "one",
        "one",
        300,
        1.3,
    ),
    Load(
        "DX, 3000 x 2500, JPEG 2000",
        partial(radiographs, studies=4, rows=3000, columns=2500),
        "one",
        "one",
        1,
        2.2,
    ),
    Load(
        "MG, 3328 x 2560, JPEG 2000, nine captures",
        partial(radiographs, studies=3, rows=3328, columns=2560, modality="MG"),
        "nine",
        "nine",
        1,
        3.5,
    ),
    Load(
        "CT, 300 slices, eight bits beside float32",
        partial(stack, slices=300),
        "trained",
        "trained-int8",
        300,
        3.5,
    ),
)
"""The loads and the goals: how many times as fast as before."""

SLICES = (100, 1000, 3000)
GROWTH, FILM_MB = 1.3, 400
"""Goals: the peak at most so many times that of 100 slices; a film of 30 million pixels in MB."""


@dataclass(frozen=True)
class Outcome:
    """Seconds and processor seconds of a study, medians of the rounds, and the ratio of both."""

    load: Load
    seconds: tuple[float, float]
    cpu: tuple[float, float]
    ratio: float


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def bundles(folder: Path, loads: Sequence[Load]) -> dict[str, Path]:
    """Write the bundles that the loads need, and a small one for the memory."""
    plain = _in_own_process(resnet50_bundle, folder / "resnet50")
    found = {
        "one": with_findings(plain, folder / "one", 1),
        "nine": with_findings(plain, folder / "nine", 9),
        "small": small_bundle(folder / "small", plain),
    }
    if any(load.old == "trained" for load in loads):
        found["trained"], found["trained-int8"] = _in_own_process(_trained)
    return found


def _in_own_process(make: Callable[..., T], *arguments: object) -> T:
    """Call a function in a process of its own: Keras keeps gigabytes after it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(make, *arguments).result()


def _trained() -> tuple[Path, Path]:
    from tests.bench.trained import trained_bundles  # noqa: PLC0415 - loads TensorFlow

    return trained_bundles()


def compare(load: Load, old: Path, known: dict[str, Path], folder: Path, rounds: int) -> Outcome:
    """Let both states take turns with one load."""
    stack(folder / "00-warm", 3)
    load.write(folder / "study")
    taken: dict[str, list[Run]] = {"old": [], "new": []}
    sides = [("old", old, load.old), ("new", ROOT, load.new)]
    for number in range(rounds):
        for side, checkout, bundle in sides if number % 2 else reversed(sides):
            taken[side].append(infer(checkout, known[bundle], folder))
    seconds = {side: [run.seconds for run in runs] for side, runs in taken.items()}
    return Outcome(
        load,
        (statistics.median(seconds["old"]), statistics.median(seconds["new"])),
        (
            statistics.median(run.cpu for run in taken["old"]),
            statistics.median(run.cpu for run in taken["new"]),
        ),
        statistics.median(a / b for a, b in zip(seconds["old"], seconds["new"], strict=True)),
    )


def table(outcomes: Sequence[Outcome]) -> str:
    lines = [
        "| whole study, ResNet50 | old, s | now, s | old, CPU s | now, CPU s | ratio | goal |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in outcomes:
        lines.append(
            f"| {one.load.name} | {one.seconds[0]:.2f} | {one.seconds[1]:.2f} | {one.cpu[0]:.1f}"
            f" | {one.cpu[1]:.1f} | {one.ratio:.2f} x | >= {one.load.goal:g} x |"
        )
    return "\n".join(lines)


def memory(old: Path | None, known: dict[str, Path], folder: Path) -> str:
    """Measure the peaks of both states, and return a table."""
    lines = [
        "| peak memory | old, MB | now, MB | of 100 slices | goal |",
        "|---|---|---|---|---|",
    ]
    least = 0.0
    for slices in SLICES:
        where = folder / str(slices)
        stack(where, slices)
        now = infer(ROOT, known["small"], where, watched=True).peak_mb
        before = None if old is None or slices > OLD_MEMORY else old
        then = _peak(before, known["small"], where)
        least = least or now
        goal = "" if slices == SLICES[0] else f"<= {GROWTH} x"
        lines.append(
            f"| {slices} slices, 14 classes | {then} | {now:.0f} | {now / least:.2f} x | {goal} |"
        )
        say(lines[-1])
    where = folder / "film"
    radiographs(where, 1, 5500, 5500)
    then, now = (_peak(one, known["small"], where) for one in (old, ROOT))
    lines.append(f"| film of 30 million pixels | {then} | {now} | | <= {FILM_MB} MB |")
    say(lines[-1])
    return "\n".join(lines)


def _peak(checkout: Path | None, bundle: Path, folder: Path) -> str:
    """Measure a peak in MB; "" where there is no checkout."""
    if checkout is None:
        return ""
    return f"{infer(checkout, bundle, folder, watched=True).peak_mb:.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loads", default="", help="parts of their names, with commas")
    parser.add_argument("--no-memory", action="store_true", help="leave the memory out")
    parser.add_argument("--old", type=Path, help=f"a checkout of commit {BEFORE}")
    parser.add_argument("--write", action="store_true", help="renew docs/performance.md")
    options = parser.parse_args()
    loads = [one for one in LOADS if any(part in one.name for part in options.loads.split(","))]
    with tempfile.TemporaryDirectory() as name, old_checkout(options.old) as old:
        folder = Path(name)
        known = bundles(folder, loads)
        outcomes = []
        for load in loads if old is not None else ():
            with tempfile.TemporaryDirectory() as place:
                outcomes.append(compare(load, old, known, Path(place), options.rounds))
            say(table(outcomes[-1:]))
        parts = [
            f"Medians of {options.rounds} rounds by turns on {machine()}, beside commit {BEFORE}.",
            table(outcomes),
        ]
        if not options.no_memory:
            parts.append(memory(old, known, folder))
    say("\n\n".join(parts))
    if options.write:
        write("studies", "\n\n".join(parts))


if __name__ == "__main__":
    main()
