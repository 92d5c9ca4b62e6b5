"""What feeding a network costs: the input pipeline beside bare `fit`, and beside Albumentations.

Usage: ``python -m tests.bench.feeding [--rounds 5] [--write]``; about three minutes.

Each network is trained on the same images in the same batches: by Keras' `fit` on arrays in memory,
by `fit` on the input pipeline without augmentation, and with that of the recipe ``folder``. Rounds
are by turns, so that all meet the same machine. `tests.bench.augmenting` compares augmentation.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras
import numpy as np

from pacs_ai.model.preprocess import scale
from tests.bench.augmenting import OURS, THEIRS
from tests.bench.report import machine, write
from training.data.feed import feed
from training.data.read import multi_hot
from training.data.samples import Sample
from training.data.store import Store
from training.learn.environment import environment
from training.learn.optimizer import build_optimizer
from training.learn.training_task import compile_model
from training.networks import build_network
from training.recipe.recipe import Recipe, load_recipe

BARE, STILL, CHANGED = "bare fit", "pipeline", "with augmentation"
NETWORKS: Mapping[str, tuple[int, int]] = {"small-resnet, 128 x 128": (128, 10)}
NETWORKS |= {"EfficientNet-Lite0, 224 x 224": (224, 2)}
"""The side of the input, and the steps of a round."""
BATCH, THREADS = 16, (1, 2)
Figures = tuple[float, float]
"""Milliseconds of a step: by the clock, and of the processor."""


def recipe_of(name: str) -> Recipe:
    """The recipe ``folder`` from random weights, with a network of the table."""
    side, _ = NETWORKS[name]
    shipped = load_recipe("folder")
    assert shipped.scratch is not None
    start = shipped.scratch if side == 128 else shipped
    network = start.network.model_copy(update={"weights": "none"})
    values = {
        "input": start.input.model_copy(update={"height": side, "width": side}),
        "network": network,
        "optimisation": shipped.optimisation.model_copy(update={"base": "trained"}),
        "feeding": shipped.feeding.model_copy(update={"batch": BATCH, "balance": "none"}),
        "augmentation": shipped.augmentation.model_copy(update={"steps": "all"}),
    }
    return shipped.model_copy(update=values)


def store_of(recipe: Recipe, images: int) -> Store:
    """Images of noise in memory."""
    shape = (images, recipe.input.height, recipe.input.width)
    grey = np.random.default_rng(1).uniform(0, 1, shape).astype(np.float32)
    samples = tuple(Sample(Path(str(n)), str(n), (n % 2,)) for n in range(images))
    return Store(samples, grey, np.zeros((images, 4), np.int32))


def steps(name: str, rounds: int) -> dict[str, Figures]:
    """Measure a step of one network, fed in three ways."""
    _, count = NETWORKS[name]
    recipe = recipe_of(name)
    store = store_of(recipe, count * BATCH)
    still = recipe.augmentation.__class__()
    x = scale(store.grey[..., None], recipe.input)
    y = multi_hot(store.samples, len(recipe.classes))
    with environment(recipe):
        network = build_network(recipe.input, recipe.network, len(recipe.classes))
        compile_model(network, recipe, build_optimizer(recipe.optimisation, network, count, rounds))

        def fed(chosen: Recipe) -> Callable[[], object]:
            batches = feed(store, chosen, training=True, seed=1)
            return lambda: network.fit(batches, steps_per_epoch=count, shuffle=False, verbose=0)

        ways = {
            BARE: lambda: network.fit(x, y, batch_size=BATCH, verbose=0),
            STILL: fed(recipe.model_copy(update={"augmentation": still})),
            CHANGED: fed(recipe),
        }
        taken: dict[str, list[Figures]] = {way: [] for way in ways}
        for number in range(rounds + 1):  # the first round builds the graphs
            for way, work in ways.items():
                taken[way] += [_timed(work, count)] * bool(number)
    keras.backend.clear_session()
    return {way: _medians(values) for way, values in taken.items()}


def _timed(work: Callable[[], object], count: int) -> Figures:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    spent = time.process_time() - cpu
    return 1000 * (time.perf_counter() - wall) / count, 1000 * spent / count


def _medians(values: list[Figures]) -> Figures:
    wall, cpu = zip(*values, strict=True)
    return statistics.median(wall), statistics.median(cpu)


def augmented(threads: int, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Measure augmentation in a process with so many threads."""
    command = [sys.executable, "-m", "tests.bench.augmenting", str(threads), str(rounds)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(said)  # type: ignore[no-any-return]


def step_table(found: Mapping[str, Mapping[str, Figures]]) -> str:
    """The steps as a table for docs/performance.md."""
    lines = [
        f"| network, batches of {BATCH} | fed by | ms a step | CPU ms a step "
        "| share of the CPU time |",
        "|---|---|---|---|---|",
    ]
    for name, ways in found.items():
        bare = ways[BARE][1]
        for way, (wall, cpu) in ways.items():
            share = "" if way == BARE else f"{max(0.0, 1 - bare / cpu):.1%}"
            lines.append(f"| {name} | {way} | {wall:.1f} | {cpu:.1f} | {share} |")
    return "\n".join(lines)


def augmenting_table(found: Mapping[int, Mapping[str, Mapping[str, list[float]]]]) -> str:
    """The augmentation as a table for docs/performance.md."""
    lines = [
        f"| changes | threads | {OURS}, images/s | {THEIRS}, images/s | ratio | CPU ms: {OURS} "
        f"| {THEIRS} |",
        "|---|---|---|---|---|---|---|",
    ]
    for threads, kinds in found.items():
        for kind, both in kinds.items():
            (mine, cpu), (other, spent) = both[OURS], both[THEIRS]
            lines.append(
                f"| {kind} | {threads} | {mine:.0f} | {other:.0f} | {mine / other:.2f} "
                f"| {cpu:.2f} | {spent:.2f} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put the tables into the document")
    options = parser.parse_args()
    made = {threads: augmented(threads, options.rounds) for threads in THREADS}
    trained = {name: steps(name, options.rounds) for name in NETWORKS}
    text = f"{step_table(trained)}\n\n{augmenting_table(made)}\n"
    print(text)  # noqa: T201 - a command
    if options.write:
        head = f"Medians of {options.rounds} rounds by turns on {machine()}."
        write("feeding", f"{head}\n\n{text}")


if __name__ == "__main__":
    main()
