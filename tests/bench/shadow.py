"""What a second version in shadow costs the live one, and how soon another version is active.

Usage: ``python -m tests.bench.shadow [--studies 200] [--models demo,resnet50] [--write]``

Two nodes of this checkout take turns in blocks of studies, one of them with a second version in
shadow. The clock is that of `tests.bench.latency`: from the release of the sender to the report in
the archive. A block ends when the analyses in shadow of its studies are done, so that they disturb
no other block. Then the active version is changed many times, each time followed by a study.
"""

import argparse
import contextlib
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pydicom

from pacs_ai.model.bundle import MANIFEST, SHIPPED
from tests.bench.latency import latency, say
from tests.bench.latency_node import Running, running
from tests.bench.radiographs import Sender, radiograph
from tests.bench.report import machine, write
from tests.bench.resnet50 import resnet50_bundle
from tests.bench.states import ROOT

ALONE, SHADOWED = "no shadow", "a version in shadow"
BLOCK = 25
WARM_UP = 5
SWITCHES = 10
GOAL = "p50 at most +10 %"
PATIENCE = 300.0
VERSION = "999"


def second_version(bundle: str, folder: Path) -> Path:
    """Copy a bundle as another version."""
    source = SHIPPED / bundle if bundle == "demo" else Path(bundle)
    shutil.copytree(source, folder)
    lines = (folder / MANIFEST).read_text("utf-8").splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("version"))
    lines[first] = f'version = "{VERSION}"'
    (folder / MANIFEST).write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def query(one: Running, sql: str) -> list[tuple[object, ...]]:
    """Read the database of a node."""
    file = f"file:{one.folder}/var/pacs-ai.db?mode=ro"
    with contextlib.closing(sqlite3.connect(file, uri=True)) as connection:
        return list(connection.execute(sql))


def drained(one: Running) -> int:
    """Wait until all analyses in shadow are done; return how many there were."""
    deadline = time.monotonic() + PATIENCE
    while states := query(one, "SELECT state FROM kept_prediction WHERE origin = 'shadow'"):
        if all(state == "DONE" for (state,) in states) or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    return sum(state == "DONE" for (state,) in states)


def blocks(states: Sequence[Running], sender: Sender, studies: int) -> dict[str, list[float]]:
    """Measure both nodes by turns, in blocks."""
    taken: dict[str, list[float]] = {one.name: [] for one in states}
    for number in range(max(2, studies // BLOCK)):
        for one in states if number % 2 else reversed(states):
            for _ in range(BLOCK):
                taken[one.name].append(latency(sender, one))
                time.sleep(random.uniform(0.2, 0.4))  # noqa: S311 - no secret
            drained(one)
    return taken


def switches(one: Running, sender: Sender, model: str) -> tuple[list[float], int]:
    """Change the active version; return milliseconds of the command, and how many had no effect."""
    taken, wrong = [], 0
    first = query(one, "SELECT model_version FROM job LIMIT 1")[0][0]
    for number in range(SWITCHES):
        version = VERSION if number % 2 == 0 else first
        words = [
            "models",
            "activate",
            f"{model}@{version}",
            "--config",
            one.folder / "pacs-ai.toml",
        ]
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "pacs_ai", *words], check=True, cwd=ROOT)
        taken.append(1000 * (time.monotonic() - began))
        latency(sender, one)
        last = "SELECT model_version FROM job ORDER BY created_at DESC LIMIT 1"
        wrong += query(one, last)[0][0] != version
    return taken, wrong


def measure(model: str, folder: Path, studies: int) -> list[str]:
    """Return the rows of one model for the table."""
    bundle = "demo" if model == "demo" else str(resnet50_bundle(folder / "resnet50"))
    other = second_version(bundle, folder / f"{model}-second")
    name = Path(bundle).name
    extra = f'[models."{name}@{VERSION}"]\nbundle = "{other}"\nshadow = true\n'
    dataset: pydicom.Dataset = radiograph(folder / f"{model}-phantom", 0)
    sender = Sender(dataset)
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(running(ALONE, ROOT, bundle, folder / model / "alone")),
            stack.enter_context(running(SHADOWED, ROOT, bundle, folder / model / "with", extra)),
        ]
        for one in nodes:
            for _ in range(WARM_UP):
                latency(sender, one)
        taken = blocks(nodes, sender, studies)
        done = drained(nodes[1])
        commands, wrong = switches(nodes[1], sender, name)
    before = float(np.median(taken[ALONE]))
    rows = []
    for state, values in taken.items():
        middle, high = np.percentile(values, [50, 95])
        change = "" if state == ALONE else f"{middle / before - 1:+.1%}"
        rows.append(f"| {model} | {state} | {len(values)} | {middle:.0f} | {high:.0f} | {change} |")
    say(f"{model}: {done} studies analysed in shadow")
    say(
        f"{model}: models activate takes {np.median(commands):.0f} ms (longest"
        f" {max(commands):.0f}); of {len(commands)} next studies {wrong} had the wrong version"
    )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=200, help="of each state")
    parser.add_argument("--models", default="demo,resnet50")
    parser.add_argument("--write", action="store_true", help="put the table into the document")
    options = parser.parse_args()
    head = [
        "| model | state | n | p50 ms | p95 ms | change of p50 |",
        "|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            row
            for model in options.models.split(",")
            for row in measure(model, Path(folder), options.studies)
        ]
    text = "\n".join([*head, *rows]) + "\n"
    say(text)
    if options.write:
        write("shadow", f"By turns on {machine()}. Goal: {GOAL}.\n\n{text}")


if __name__ == "__main__":
    main()
