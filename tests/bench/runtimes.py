"""How fast the runtimes compute a ResNet50 with its heat maps, beside ``predict`` of Keras.

Usage: ``python -m tests.bench.runtimes [--rounds 15] [--images 10] [--write]``

Each runtime is a process of its own that waits for its turn, with all cores.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.gradcam import gradcam
from pacs_ai.model.network import Floats
from pacs_ai.model.predict import activate
from pacs_ai.model.providers import probe, provider_of
from pacs_ai.model.runtime import Runtime
from tests.bench.report import machine, write
from tests.bench.resnet50 import resnet50_bundle, resnet50_network

KERAS = "keras predict"
RUNTIMES = {"onnxruntime": "ONNX Runtime, with maps", "openvino": "OpenVINO, with maps"}
GOALS = {"onnxruntime": 3.6, "openvino": 3.8}
WARM_UP = 3

Compute = Callable[[Floats], Floats]


@dataclass
class Side:
    """One process: its milliseconds an image, a median for each round, and its logits."""

    process: subprocess.Popen[str]
    rounds: list[float] = field(default_factory=list)
    logits: Sequence[float] = ()

    def turn(self, images: int) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{images}\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        self.rounds.append(answer["ms"])
        self.logits = answer["logits"]


def with_keras(folder: Path) -> Compute:  # noqa: ARG001 - it makes the weights itself
    network = resnet50_network()
    return lambda x: network.predict(x, verbose=0)


def with_runtime(name: str, folder: Path) -> Compute:
    """Load a bundle as a worker does; a prediction is logits, probabilities and all maps."""
    bundle = load_bundle(folder)
    runtime = Runtime(bundle, os.cpu_count() or 1, provider_of(name, "cpu"))
    assert not runtime.computed_by.instead_of, runtime.computed_by.instead_of

    def compute(x: Floats) -> Floats:
        logits, features = runtime.predict(x)
        activate(logits[0], "sigmoid", bundle.temperature)
        for weights in bundle.class_weights:
            gradcam(features[0], weights)
        return logits

    return compute


def serve(name: str, folder: Path) -> None:
    """Answer each number on standard input with the median time of as many predictions."""
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries print as well
    compute = with_keras(folder) if name == KERAS else with_runtime(name, folder)
    x = probe(load_bundle(folder).input)
    for line in sys.stdin:
        taken = []
        for _ in range(int(line)):
            start = time.perf_counter()
            logits = compute(x)
            taken.append(1000 * (time.perf_counter() - start))
        answer = {"ms": statistics.median(taken), "logits": logits[0].tolist()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


@contextmanager
def started(name: str, folder: Path) -> Iterator[Side]:
    command = [sys.executable, "-m", "tests.bench.runtimes", "--serve", name, str(folder)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"},
    ) as process:
        try:
            yield Side(process)
        finally:
            process.kill()


def run(rounds: int, images: int) -> dict[str, Side]:
    """Let all take turns, forth and back, after one turn of warming up."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        resnet50_bundle(folder)
        sides = {name: stack.enter_context(started(name, folder)) for name in (KERAS, *RUNTIMES)}
        for one in sides.values():
            one.turn(WARM_UP)
            one.rounds.clear()
        for number in range(rounds):
            order = list(sides.values())
            for one in order if number % 2 else order[::-1]:
                one.turn(images)
    return sides


def table(sides: dict[str, Side]) -> str:
    """The outcome as a table for docs/performance.md."""
    base = sides[KERAS]
    wanted = np.array(base.logits)
    lines = [
        "| what computes | ms an image | x keras predict | fewest - most | goal | logits |",
        "|---|---|---|---|---|---|",
        f"| {KERAS} | {statistics.median(base.rounds):.1f} | 1 | | | |",
    ]
    for name, text in RUNTIMES.items():
        one = sides[name]
        ratios = [theirs / ours for ours, theirs in zip(one.rounds, base.rounds, strict=True)]
        far = np.abs(np.array(one.logits) - wanted).max() / np.abs(wanted).max()
        lines.append(
            f"| {text} | {statistics.median(one.rounds):.1f} | {statistics.median(ratios):.2f}"
            f" | {min(ratios):.2f} - {max(ratios):.2f} | >= {GOALS[name]:g} | {far:.0e} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--serve", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help="put the table into the document")
    options = parser.parse_args()
    if options.serve:
        serve(options.serve[0], Path(options.serve[1]))
        return
    found = table(run(options.rounds, options.images))
    sys.stdout.write(found)
    if options.write:
        text = f"Medians of {options.rounds} rounds by turns on {machine()}."
        write("runtimes", f"{text}\n\n{found}")


if __name__ == "__main__":
    main()
