"""The shipped recipe ``folder`` on a public data set: the tables of docs/training.md.

Usage: ``python -m tests.bench.evidence [source|grouped|small|views ...] [--data FOLDER]
[--out FOLDER] [--seeds 1 2 3] [--sizes 50 100 200 400]``

A run uses one thread: train seeds side by side, each in its own process, then measure all at once.

Each run is kept in the folder, so that a stopped measurement continues. Each network is evaluated
once, on test images that chose nothing. Intervals are of the mean over the seeds: groups of nearly
equal pictures are drawn, as there are no patients.
"""

import argparse
import csv
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
import numpy.typing as npt

from pacs_ai.statistics import metrics
from pacs_ai.statistics.bootstrap import bootstrap, interval
from training.data import build_dataset
from training.data.split_file import SplitRow, read_split
from training.evaluate.network import TrainedNetwork
from training.evaluate.publish import calibration_of
from training.evaluate.score import score
from training.folds import train_members
from training.learn.train import load_network
from training.networks.ensemble import ensemble, views
from training.pipeline import run_pipeline
from training.recipe.recipe import RECIPES, Recipe, merge
from training.run.run import Run

CLASSES = ("glioma_tumor", "meningioma_tumor", "no_tumor", "pituitary_tumor")
PICTURES = Path("../shared/data/labelled/brain-mri-4class")
SIZES, FOLDS = (50, 100, 200, 400), 5
FLIPS = views(horizontal=True, vertical=False)
FEW_IMAGES: Mapping[str, Mapping[str, float]] = {
    "augmentation": {
        "rotation_degrees": 25,
        "shift": 0.12,
        "zoom": 0.25,
        "contrast": 0.4,
        "brightness": 0.2,
        "gamma": 0.5,
        "noise": 0.03,
    },
    "finetune": {"epochs": 12},
}
"""What docs/training.md advises for few images and a pretrained start; chosen on validation."""
RESAMPLES = 2000
Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


def recipe_of(
    seed: int,
    data: Mapping[str, object],
    split: Mapping[str, object],
    over: Mapping[str, Mapping[str, object]] | None = None,
) -> Recipe:
    """Return the shipped recipe with these classes; a mirrored head is a head."""
    shipped = tomllib.loads((RECIPES / "folder.toml").read_text("utf-8"))
    given: dict[str, Any] = merge(shipped, over or {})
    given["data"] = {"source": "pictures", "modality": "MR", "unlabelled": "drop", **data}
    given["split"] = {"group": "near-duplicates", **split}
    given["augmentation"]["flip_horizontal"] = True
    given["evaluation"] = {"views": "flips"}
    given["optimisation"] |= {"seed": seed, "threads": 1}
    given["release"]["name"] = "brain-mri-4class"
    given["classes"] = [
        {
            "name": name,
            "positive": name != "no_tumor",
            "threshold": 0.5,
            "code": {"value": f"CLASS{index}", "scheme": "99PACSAI", "meaning": name},
        }
        for index, name in enumerate(CLASSES)
    ]
    return Recipe.model_validate(given)


def trained(recipe: Recipe, folder: Path) -> Run:
    """Train and evaluate once; what is finished is not done again."""
    run = Run.start(recipe, folder, resume=True)
    run_pipeline(run, until="evaluate")
    return run


@dataclass(frozen=True)
class Cases:
    """Test images, and the classes that some networks predict for them."""

    truth: Indices
    groups: Sequence[str]
    predicted: Sequence[Indices]

    @classmethod
    def of(cls, runs: Sequence[Run], *, jointly: bool = False) -> Self:
        """Read the evaluations of runs that share their test images; or their mean, jointly."""
        tables = [_rows(run.evaluation / "images.csv") for run in runs]
        assert len({tuple(row[0] for row in table) for table in tables}) == 1
        probabilities = [np.array([row[5:] for row in table], dtype=float) for table in tables]
        if jointly:
            probabilities = [np.mean(probabilities, axis=0)]
        tested = tested_rows(runs[0])
        assert [Path(row.file).name for row in tested] == [row[2] for row in tables[0]]
        return cls(
            np.array([CLASSES.index(row[4]) for row in tables[0]]),
            [row.group for row in tested],
            [each.argmax(axis=1) for each in probabilities],
        )

    def figures(self, weights: Floats) -> dict[str, Floats]:
        """Return accuracy and macro F1, the mean over the runs, of each draw."""
        tables = [
            metrics.confusion(self.truth, each, len(CLASSES), weights) for each in self.predicted
        ]
        accuracy = [np.trace(t, axis1=1, axis2=2) / t.sum(axis=(1, 2)) for t in tables]
        f1 = [metrics.rates(metrics.one_against_rest(t))["f1"].reshape(len(t), -1) for t in tables]
        return {
            "accuracy": np.mean(accuracy, axis=0),
            "macro F1": np.mean([each.mean(axis=1) for each in f1], axis=0),
        }


def tested_rows(run: Run) -> list[SplitRow]:
    """Return the rows of the test images of a run."""
    return [row for row in read_split(run.split).rows if row.split == "test"]


def _rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def shown(measure: Callable[[Floats], dict[str, Floats]], groups: Sequence[str]) -> str:
    """Return the figures with their intervals, as cells of a table."""
    found = bootstrap(measure, groups, RESAMPLES)
    parts = [interval(found[name]) for name in found]
    return " | ".join(f"{each.value:.3f} ({each.low:.3f} - {each.high:.3f})" for each in parts)


def one_split(name: str, data: Path, out: Path, seeds: Sequence[int]) -> Iterator[str]:
    """Measure the published split, or one within its training part."""
    labels = {"folder": data, "labels": data / "labels.csv", "split_column": "split"}
    if name == "source":
        split = {"by": "given", "validation": 0.05, "leakage": "report"}
    else:
        labels["where"] = {"split": "train"}
        split = {"by": "hash", "validation": 0.15, "test": 0.15}
    runs = [trained(recipe_of(s, labels, split), out / f"{name}-{s}") for s in seeds]
    cases = Cases.of(runs)
    yield f"| {name} | {shown(cases.figures, cases.groups)} |"
    if len(runs) > 1:
        joint = Cases.of(runs, jointly=True)
        yield f"| {name}, all networks together | {shown(joint.figures, joint.groups)} |"
    for run, predicted in zip(runs, cases.predicted, strict=True):
        fine = run.summary("finetune")
        right = (predicted == cases.truth).mean()
        yield f"{run.folder.name}: {right:.3f}; cross-entropy on validation {fine}"
    learnt = {row.group for row in read_split(runs[0].split).rows if row.split != "test"}
    seen = np.array([group in learnt for group in cases.groups])
    for text, chosen in (("in the training set too", seen), ("not in it", ~seen)):
        if chosen.any():
            rights = [(each == cases.truth)[chosen].mean() for each in cases.predicted]
            yield f"of {chosen.sum()} test pictures {text}: {np.mean(rights):.3f} are right"


def small(data: Path, out: Path, seeds: Sequence[int], sizes: Sequence[int]) -> Iterator[str]:
    """Compare random and pretrained weights on few images of the grouped split."""
    yield "| images | scratch: accuracy | macro F1 | pretrained: accuracy | macro F1 | gain |"
    yield "|---|---|---|---|---|---|"
    for count in sizes:
        labels = {
            s: chosen(out / "grouped-1", out / f"labels-{count}-{s}.csv", count, s) for s in seeds
        }
        kinds = {}
        for kind, over in (("scratch", {}), ("pretrained", FEW_IMAGES)):
            runs = []
            for s in seeds:
                section = {"folder": data, "labels": labels[s], "split_column": "split"}
                recipe = recipe_of(s, section, {"by": "given", "validation": 0.2}, over)
                if kind == "scratch" and recipe.scratch is not None:
                    recipe = recipe.starting_from(recipe.scratch, {"seed": s, "threads": 1}, kind)
                runs.append(trained(recipe, out / f"{kind}-{count}-{s}"))
            kinds[kind] = Cases.of(runs)
        before, after = kinds["scratch"], kinds["pretrained"]

        def gain(
            weights: Floats, before: Cases = before, after: Cases = after
        ) -> dict[str, Floats]:
            first, second = before.figures(weights), after.figures(weights)
            return {"accuracy": second["accuracy"] - first["accuracy"]}

        cells = [shown(each.figures, each.groups) for each in (before, after)]
        yield f"| {count} | {' | '.join(cells)} | {shown(gain, before.groups)} |"


def chosen(run: Path, path: Path, count: int, seed: int) -> Path:
    """Write the labels of some images that a run did not test, and of all that it tested."""
    rows = read_split(run / "split.csv").rows
    test = [row.file for row in rows if row.split == "test"]
    rng = np.random.default_rng(seed)
    lines = [(file, file.split("/")[1], "test") for file in test]
    for name in CLASSES:
        of = [row.file for row in rows if row.split in ("train", "validation") and name in row.file]
        taken = rng.permutation(of)[: count // len(CLASSES)]
        lines += [(str(file), name, "train") for file in taken]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file", "label", "split"), *sorted(lines)])
    return path


def many_views(data: Path, out: Path) -> Iterator[str]:
    """Measure what the folds of few images bring, and mirrored views, on the grouped test split."""
    count, tested = SIZES[-1], Run.open(out / "grouped-1")
    labels = chosen(tested.folder, out / "labels-folds.csv", count, seed=1)
    section = {"folder": data, "labels": labels, "where": {"split": "train"}}
    recipe = recipe_of(1, section, {"by": "hash", "folds": FOLDS}, FEW_IMAGES)
    members = train_members(Run.start(recipe, out / "folds", resume=True))
    networks = [load_network(member) for member in members]
    heats = [calibration_of(member).temperature for member in members]
    samples = build_dataset(tested.recipe, tested).test
    groups = [row.group for row in tested_rows(tested)]

    def predict(models: Sequence[keras.Model]) -> Cases:
        scores = [score(TrainedNetwork(model), samples, recipe) for model in models]
        truth = scores[0].truth.argmax(axis=1)
        return Cases(truth, groups, [each.logits.argmax(axis=1) for each in scores])

    yield "| networks | views | accuracy | macro F1 |"
    yield "|---|---|---|---|"
    for views_of, seen in (("one", views(horizontal=False, vertical=False)), ("flips", FLIPS)):
        single = predict([ensemble([each], [1.0], seen) for each in networks])
        joint = predict([ensemble(networks, heats, seen)])
        for text, cases in ((f"mean of {FOLDS}", single), (f"ensemble of {FOLDS}", joint)):
            yield f"| {text} | {views_of} | {shown(cases.figures, cases.groups)} |"


def main() -> None:
    """Measure the parts that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["source", "grouped", "small", "views"])
    parser.add_argument("--data", type=Path, default=PICTURES)
    parser.add_argument("--out", type=Path, default=Path("runs/evidence"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="of the part small")
    given = parser.parse_args()
    data, out = given.data.resolve(), given.out.resolve()
    for part in given.parts:
        if part in ("source", "grouped"):
            lines = one_split(part, data, out, given.seeds)
        elif part == "small":
            lines = small(data, out, given.seeds, given.sizes)
        else:
            lines = many_views(data, out)
        for line in lines:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
