"""Studies of a test whose probabilities are made up, and the model that would have said them."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from pacs_ai.acceptance.judge import Judged
from pacs_ai.acceptance.truth import Row
from pacs_ai.domain import ModelIdentity
from pacs_ai.model.bundle import load_bundle
from pacs_ai.phantom import PhantomStudy, write_phantom_study


def model(activation: str = "softmax") -> ModelIdentity:
    return replace(load_bundle("demo").identity, activation=activation)


def judged(count: int = 200, *, patients: int = 120) -> list[Judged]:
    """Studies of a model that is right more often than not; ties and both sexes among them."""
    rng = np.random.default_rng(4)
    truth = rng.random(count) < 0.4
    chances = np.round(np.clip(rng.normal(0.35 + 0.3 * truth, 0.2), 0.001, 0.99), 3) + 0.00037
    return [
        Judged(
            row=Row(number + 2, "study", f"1.2.{number}", (not true, bool(true))),
            patient=f"{number % patients}",
            groups={"sex": "female" if number % 3 else "male", "scanner": "one"},
            probabilities=(1 - chance, chance),
            digest=f"blake3:{number:064x}",
        )
        for number, (true, chance) in enumerate(zip(truth, chances.tolist(), strict=True))
    ]


def written(folder: Path, count: int = 6) -> list[PhantomStudy]:
    """Write radiographs of made-up anatomy, every second with a lesion."""
    return [
        write_phantom_study(folder / f"case{number}", "CR", 100 + number, lesion=number % 2 == 1)
        for number in range(count)
    ]


def write_truth(path: Path, header: list[str], rows: list[list[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path
