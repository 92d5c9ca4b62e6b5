"""How long results take to make, against plain highdicom, on one core, in one run.

Usage: ``python -m tests.bench.results [--rounds 40] [--slices 200] [--write]``

Both sides get the same prediction and the same source file, read its pixels, draw the same picture
with the same code, and end with the bytes of the files. The baseline makes them as highdicom's
documentation shows: no coding schemes, no order, no patient beyond what the library copies, and no
check of what came out; ours is what a node does, the check included. Rounds take turns; medians and
their ratios count. Counted is the processor's time, so that other work on the machine does not.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
from highdicom import sr
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from pacs_ai.analysis.make import make_results
from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.dicom.quiet_libraries import quiet
from pacs_ai.domain import ImagePrediction, ResultKind, StudyPrediction
from pacs_ai.results.build import Built
from pacs_ai.results.common.codes import PERCENT, concept, probability_concept
from pacs_ai.results.content.selection import every_image
from pacs_ai.results.images.lettering import Legend, headline
from pacs_ai.results.images.overlay import draw
from pacs_ai.results.sr.class_group import algorithm
from tests.bench.report import machine, write
from tests.unit.results.samples import (
    CONTEXT,
    FOURTEEN_CLASSES,
    ct_slice,
    image,
    model,
    save,
    study,
)

SIDE = 512
BOTH = (ResultKind.REPORT, ResultKind.CAPTURE)


@dataclass(frozen=True)
class Load:
    """What is made: by us and by the baseline, for so many images."""

    name: str
    ours: Callable[[], int]
    baseline: Callable[[], int]
    images: int = 1


@dataclass(frozen=True)
class Outcome:
    """Milliseconds an image, medians over the rounds, and the median ratio of the rounds."""

    name: str
    ours_ms: float
    rival_ms: float
    ratio: float


def sources(folder: Path, count: int) -> list[Path]:
    """CT slices of 512 x 512 pixels of noise."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 4000, SIDE * SIDE, dtype=np.uint16).tobytes()
    values = {"Rows": SIDE, "Columns": SIDE, "PixelData": pixels}
    return [save(ct_slice(n, **values), folder / f"{n}.dcm") for n in range(1, count + 1)]


class Encoder:
    """Makes the bytes of each file and keeps their number."""

    def write(self, result: Built) -> int:
        return len(result.encode())

    def remove(self, written: int) -> None:
        raise AssertionError(f"a result of {written} bytes is taken back")


def ours(prediction: StudyPrediction, kinds: Sequence[ResultKind]) -> int:
    outcome = make_results(prediction, kinds, lambda _: CONTEXT, Encoder())
    assert not outcome.failed, outcome.remark
    return sum(outcome.made)


def drawn(seen: ImagePrediction, class_index: int) -> np.ndarray:
    legend = Legend((headline("Lesion: 0.93"), headline("threshold"), headline("notice")), bar=True)
    grey = read_pixels(seen.header.path, seen.frame)
    return draw(grey, seen.saliency[class_index], legend, (SIDE, SIDE))


def encoded(dataset: pydicom.Dataset) -> int:
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return len(buffer.getvalue())


def plain_capture(seen: ImagePrediction, class_index: int) -> int:
    source = pydicom.dcmread(seen.header.path)
    return encoded(
        hd.sc.SCImage.from_ref_dataset(
            source,
            drawn(seen, class_index),
            "RGB",
            8,
            "PATIENT",
            generate_uid(),
            9002,
            generate_uid(),
            1,
            "pacs-ai",
            patient_orientation=("L", "P"),
            transfer_syntax_uid=ExplicitVRLittleEndian,
        )
    )


def as_comprehensive_sr(prediction: StudyPrediction) -> int:
    [seen] = prediction.images
    source = pydicom.dcmread(seen.header.path)
    groups = [
        sr.MeasurementsAndQualitativeEvaluations(
            sr.TrackingIdentifier(generate_uid(), spec.name),
            finding_type=concept(spec.code),
            algorithm_id=algorithm(prediction.model, spec),
            measurements=[
                sr.Measurement(
                    probability_concept(spec, study=False),
                    100 * probability,
                    PERCENT,
                    referenced_coordinates=[
                        sr.CoordinatesForMeasurement(
                            "POINT",
                            np.array([[15.0, 36.0]]),
                            sr.SourceImageForRegion.from_source_image(source),
                        )
                    ],
                )
            ],
            source_images=[sr.SourceImageForMeasurementGroup.from_source_image(source)],
        )
        for spec, probability in zip(prediction.model.classes, seen.probabilities, strict=True)
    ]
    device = sr.DeviceObserverIdentifyingAttributes(uid=CONTEXT.installation_uid)
    observer = sr.ObserverContext(sr.CodedConcept("121007", "DCM", "Device"), device)
    report = sr.MeasurementReport(
        sr.ObservationContext(observer_device_context=observer),
        sr.CodedConcept("25045-6", "LN", "CT unspecified body region"),
        imaging_measurements=groups,
        title=sr.CodedConcept("126000", "DCM", "Imaging Measurement Report"),
    )
    return encoded(
        sr.Comprehensive3DSR(
            [source],
            report,
            generate_uid(),
            9001,
            generate_uid(),
            1,
            "pacs-ai",
            is_complete=True,
            is_final=False,
            transfer_syntax_uid=ExplicitVRLittleEndian,
        )
    )


def loads(folder: Path, slices: int) -> list[Load]:
    paths = sources(folder, slices)
    two = study([image(paths[0], (0.07, 0.93))])
    chances = [0.93 - 0.06 * n for n in range(14)]
    fourteen = study([image(paths[0], chances)], model(FOURTEEN_CLASSES, "sigmoid"))
    series = study([image(path, (0.07, 0.93)) for path in paths])

    def plain(prediction: StudyPrediction) -> int:
        return as_comprehensive_sr(prediction) + plain_capture(prediction.images[0], -1)

    def plain_stack() -> int:
        shown = every_image(series)
        return sum(plain_capture(series.images[one.image], one.class_index) for one in shown)

    return [
        Load("report and capture, 2 classes", lambda: ours(two, BOTH), lambda: plain(two)),
        Load(
            "report, 14 classes",
            lambda: ours(fourteen, (ResultKind.REPORT,)),
            lambda: as_comprehensive_sr(fourteen),
        ),
        Load(
            "capture",
            lambda: ours(two, (ResultKind.CAPTURE,)),
            lambda: plain_capture(two.images[0], 1),
        ),
        Load(
            f"stack of {slices} images",
            lambda: ours(series, (ResultKind.STACK,)),
            plain_stack,
            slices,
        ),
    ]


def measure(load: Load, rounds: int) -> Outcome:
    """Let the two take turns, after one round of warming up."""
    taken: dict[str, list[float]] = {"ours": [], "baseline": []}
    for number in range(rounds + 1):
        order = [("ours", load.ours), ("baseline", load.baseline)]
        for name, work in order if number % 2 else reversed(order):
            start = time.process_time()
            work()
            if number:
                taken[name].append(1000 * (time.process_time() - start) / load.images)
    ratios = [
        baseline / ours for ours, baseline in zip(taken["ours"], taken["baseline"], strict=True)
    ]
    return Outcome(load.name, *map(statistics.median, (taken["ours"], taken["baseline"], ratios)))


def run(rounds: int, slices: int) -> list[Outcome]:
    """Measure everything on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        with tempfile.TemporaryDirectory() as folder, quiet():
            return [
                measure(load, max(1, rounds // 20) if load.images > 1 else rounds)
                for load in loads(Path(folder), slices)
            ]
    finally:
        os.sched_setaffinity(0, before)


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as a table for docs/performance.md."""
    lines = [
        "| what is made, for each image | ours, ms | plain highdicom, ms | ratio |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {one.name} | {one.ours_ms:.1f} | {one.rival_ms:.1f} | {one.ratio:.1f} |"
        for one in outcomes
    ]
    return "\n".join(lines) + "\n"


def keep(outcomes: Sequence[Outcome]) -> None:
    """Write the outcomes to test-output/bench-results.json."""
    path = Path("test-output") / "bench-results.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        json.dumps([asdict(one) for one in outcomes], indent=1) + "\n", encoding="utf-8"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--slices", type=int, default=200)
    parser.add_argument("--write", action="store_true", help="put the table into the document")
    options = parser.parse_args()
    outcomes = run(options.rounds, options.slices)
    print(table(outcomes))  # noqa: T201 - a command
    keep(outcomes)
    if options.write:
        rounds = (
            f"Processor time, medians of {options.rounds} rounds by turns on one of {machine()}."
        )
        write("results", f"{rounds}\n\n{table(outcomes)}")


if __name__ == "__main__":
    main()
