"""What it costs to compare stored files with what was stored, before they are used.

Usage: ``python -m tests.bench.integrity [--rounds 40] [--write]``

An instance is compared before it is analysed, a result before it is sent. Counted is the
processor's time on one core, files in the page cache, beside that of analysing the same image.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pacs_ai.analysis.kept_frames import KeptFrames
from pacs_ai.dicom.files import dataset_content, file_content
from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.dicom.quiet_libraries import quiet
from pacs_ai.domain import ResultKind
from pacs_ai.flow.integrity import check_instances, check_result
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from pacs_ai.results.build import build_results
from pacs_ai.store.schema import Instance
from pacs_ai.store.spool import Spool
from tests.bench.report import machine, write
from tests.unit.results.samples import CONTEXT, ct_slice, image, radiograph, save, study

SIDES = {"CT slice, 512 x 512": 512, "radiograph, 3000 x 3000": 3000}


@dataclass(frozen=True)
class Outcome:
    """Milliseconds of one comparison, and of what is done with the file then (0: not measured)."""

    name: str
    megabytes: float
    ms: float
    analysing_ms: float = 0.0


def median_ms(work: Callable[[], object], rounds: int) -> float:
    """Measure one kind of work, after one round of warming up."""
    taken = []
    for number in range(rounds + 1):
        start = time.process_time()
        work()
        if number:
            taken.append(1000 * (time.process_time() - start))
    return statistics.median(taken)


def source(folder: Path, side: int) -> Path:
    """One image of noise."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 4000, side * side, dtype=np.uint16).tobytes()
    made = (ct_slice if side < 1000 else radiograph)(Rows=side, Columns=side, PixelData=pixels)
    return save(made, folder / f"{side}.dcm")


def instances(folder: Path, rounds: int) -> list[Outcome]:
    spool = Spool(folder, "")
    classifier = Classifier.load(load_bundle("demo"))
    outcomes = []
    for name, side in SIDES.items():
        path = source(folder, side)
        content = dataset_content(path)
        row = Instance(
            path=path.name,
            bytes=content.size,
            digest=content.digest,
            transfer_syntax_uid=content.transfer_syntax_uid,
        )
        comparing = median_ms(lambda row=row: check_instances(spool, [row]), rounds)  # type: ignore[misc]
        analysing = median_ms(
            lambda path=path: classifier.predict_image(read_pixels(path)),  # type: ignore[misc]
            max(3, rounds // 4),
        )
        outcomes.append(Outcome(name, content.size / 1e6, comparing, analysing))
    return outcomes


def results(folder: Path, rounds: int) -> list[Outcome]:
    spool = Spool(folder, "")
    prediction = study([image(source(folder, 512), (0.07, 0.93))])
    outcomes = []
    kinds = (ResultKind.REPORT, ResultKind.CAPTURE)
    grey = KeptFrames(prediction.model).grey
    for result in build_results(prediction, kinds, CONTEXT, grey):
        path = folder / f"{result.kind}.dcm"
        path.write_bytes(result.encode())
        content = file_content(path)
        comparing = median_ms(
            lambda path=path, content=content: check_result(  # type: ignore[misc]
                spool, path.name, content.size, content.digest
            ),
            rounds,
        )
        outcomes.append(Outcome(str(result.kind), content.size / 1e6, comparing))
    return outcomes


def run(rounds: int) -> list[Outcome]:
    """Measure everything on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        with tempfile.TemporaryDirectory() as folder, quiet():
            return instances(Path(folder), rounds) + results(Path(folder), rounds)
    finally:
        os.sched_setaffinity(0, before)


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as a table for docs/performance.md."""
    lines = [
        "| what is compared | MB | ms | MB/s | analysing it, ms | share |",
        "|---|---|---|---|---|---|",
    ]
    for one in outcomes:
        speed = f"{one.megabytes:.2f} | {one.ms:.2f} | {1000 * one.megabytes / one.ms:.0f}"
        use = " | "
        if one.analysing_ms:
            use = f"{one.analysing_ms:.1f} | {one.ms / one.analysing_ms:.1%}"
        lines.append(f"| {one.name} | {speed} | {use} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--write", action="store_true", help="put the table into the document")
    options = parser.parse_args()
    outcomes = run(options.rounds)
    print(table(outcomes))  # noqa: T201 - a command
    if options.write:
        rounds = f"Processor time, medians of {options.rounds} rounds on one of {machine()}."
        write("integrity", f"{rounds}\n\n{table(outcomes)}")


if __name__ == "__main__":
    main()
