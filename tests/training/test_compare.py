"""Runs beside each other: paired on the same cases, or refused with what differs."""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from pacs_ai.errors import DataError
from tests.training.quick_run import Command
from tests.training.toys import KINDS, as_test, toy_recipe, toy_samples, toy_world
from training.data.samples import Dataset
from training.evaluate import evaluate, evaluate_other
from training.evaluate.cases import Scores
from training.evaluate.compare import compare
from training.run.run import Run

pytestmark = pytest.mark.train

Change = Callable[[Scores], Scores]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory):
    """A run, its dataset, and a network that sees bright squares alone."""
    run, recipe, dataset, network = toy_world(tmp_path_factory.mktemp("world"))
    evaluate(run, recipe, dataset, network)
    weaker = keras.models.clone_model(network)
    weaker.set_weights(network.get_weights())
    kernel, bias = weaker.get_layer("logits").get_weights()
    kernel[1] = 0
    weaker.get_layer("logits").set_weights([kernel, bias])
    return run, dataset, network, weaker


def evaluated(folder: Path, dataset: Dataset, network: keras.Model) -> Run:
    run = Run.create(toy_recipe(folder), folder / "other")
    evaluate(run, run.recipe, dataset, network)
    return run


@pytest.fixture(scope="module")
def other(world, tmp_path_factory: pytest.TempPathFactory) -> Run:
    _, dataset, _, weaker = world
    shuffled = tuple(dataset.test[i] for i in np.random.default_rng(1).permutation(72))
    return evaluated(tmp_path_factory.mktemp("weaker"), replace(dataset, test=shuffled), weaker)


def rows(run: Run) -> dict[str, dict[str, str]]:
    with (run.evaluation / "images.csv").open() as file:
        return {row["image"]: row for row in csv.DictReader(file)}


def test_a_worse_run_is_found_worse_in_each_pair_of_draws(world, other: Run) -> None:
    run = world[0]
    found = compare([run, other])
    json.dumps(found, allow_nan=False)
    (pair,) = found["comparisons"]
    assert set(pair["units"]) == {"image", "study"}
    for unit, each in pair["units"].items():
        for one, side in ((run, "reference"), (other, "run")):
            figures = json.loads((one.evaluation / "figures.json").read_text())
            overall = figures["units"][unit]["all"]["overall"]
            for name, figure in each["figures"].items():
                assert figure[side] == pytest.approx(overall[name]["value"], abs=1e-5)
            for name, figure in each["auc_by_class"].items():
                own = figures["units"][unit]["all"]["classes"][name]["auc"]
                assert figure[side] == pytest.approx(own["value"], abs=1e-5)
    images = pair["units"]["image"]
    assert (images["cases"], images["patients"]) == (72, 36)
    assert images["auc_by_class"]["dark"]["difference"]["high"] < 0
    assert images["auc_by_class"]["dark"]["covers_0"] is False
    # the accuracy, by drawing patients with both answers of each image in a table of its own
    best, worse = rows(run), rows(other)
    hits = np.array(
        [[is_right(table[key]) for table in (worse, best)] for key in best], dtype=float
    )
    owner = np.array([best[key]["patient"] for key in best])
    names, rng = np.unique(owner), np.random.default_rng(4)
    parts = {name: hits[owner == name] for name in names}
    gains = []
    for _ in range(1000):
        drawn = np.concatenate([parts[name] for name in rng.choice(names, names.size)])
        gains.append((drawn[:, 0] - drawn[:, 1]).mean())
    accuracy = images["figures"]["accuracy"]["difference"]
    assert accuracy["value"] == pytest.approx((hits[:, 0] - hits[:, 1]).mean(), abs=1e-5)
    low, high = np.percentile(gains, (2.5, 97.5))
    assert (accuracy["low"], accuracy["high"]) == pytest.approx((low, high), abs=0.04)
    assert images["figures"]["accuracy"]["covers_0"] is False


def is_right(row: dict[str, str]) -> bool:
    said = {kind: float(row[f"probability of {kind}"]) for kind in KINDS}
    return max(said, key=said.__getitem__) == row["true"]


def test_a_run_does_not_differ_from_itself(world, other: Run) -> None:
    found = compare([other, world[0], other])
    assert [row["run"] for row in found["runs"]] == [
        str(world[0].folder),
        *[str(other.folder)] * 2,
    ], "the highest AUC comes first"
    better, same = found["comparisons"]
    accuracy = better["units"]["image"]["figures"]["accuracy"]
    assert accuracy["difference"]["low"] > 0
    for unit in same["units"].values():
        for figure in (*unit["figures"].values(), *unit["auc_by_class"].values()):
            assert figure["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}
            assert figure["covers_0"] is True


def test_the_command_shows_a_table_and_what_covers_0(world, other: Run, command: Command) -> None:
    folder = world[0].folder
    said = command("compare", folder, other.folder, folder)
    head, *lines = said.splitlines()
    assert head.split()[:4] == ["run", "recipe", "backbone", "images"]
    assert [line.split()[0] for line in lines[:3]] == [str(folder), str(folder), str(other.folder)]
    assert "AUC, dark" in said
    assert "covers 0: no difference is shown" in said
    assert "does not cover 0" in said
    assert "not adjusted" in said
    found = json.loads(command("compare", folder, other.folder, "--json"))
    assert found["reference"] == str(folder)
    row = found["runs"][0]
    assert row["date"] == str(world[0].report()["started"])[:10]
    assert (row["recipe"], row["backbone"], row["images"]) == ("toy 1", "small-resnet", 72)
    assert "at least two" in command("compare", folder, code=2)
    assert "no run" in command("compare", folder, folder / "evaluation", code=2)


def without_four(scores: Scores) -> Scores:
    kept = slice(4, None)
    return replace(
        scores,
        images=scores.images[kept],
        patients=scores.patients[kept],
        units=scores.units[kept],
        logits=scores.logits[kept],
        truth=scores.truth[kept],
        votes=scores.votes[kept],
        groups={},
        places=None,
    )


def relabelled(scores: Scores) -> Scores:
    truth = scores.truth.copy()
    truth[:2] = np.roll(truth[:2], 1, axis=1)
    return replace(scores, truth=truth)


def of_other_patients(scores: Scores) -> Scores:
    return replace(scores, patients=tuple(f"{p} {i % 2}" for i, p in enumerate(scores.patients)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (without_four, "test cases .* differ, by image: 4 of the first only"),
        (relabelled, "labels .* differ, by image: 2 of 72 cases"),
        (of_other_patients, "patients .* differ, by image: 72 of 72"),
    ],
)
def test_other_cases_are_refused_and_named(
    world, tmp_path: Path, change: Change, said: str
) -> None:
    run = world[0]
    changed = Run.open(Path(shutil.copytree(run.folder, tmp_path / "changed")))
    path = changed.evaluation / "test_scores.npz"
    change(Scores.load(path)).save(path)
    with pytest.raises(DataError, match=said):
        compare([run, changed])


def test_other_classes_and_other_networks_are_refused(world, tmp_path: Path) -> None:
    run = world[0]
    two, recipe, dataset, network = toy_world(tmp_path / "two", ("empty", "bright"))
    with pytest.raises(DataError, match="not evaluated on its own test split"):
        compare([run, two])
    evaluate(two, recipe, dataset, network)
    with pytest.raises(DataError, match=r"classes differ: .*dark; .*empty, bright"):
        compare([run, two])
    copied = Path(shutil.copytree(two.folder, tmp_path / "copied"))
    (copied / "best.weights.npz").write_bytes(b"another network")
    with pytest.raises(DataError, match="made with other values of the weights"):
        compare([two, Run.open(copied)])


def test_evaluations_on_other_data_are_compared(
    world, other: Run, tmp_path: Path, command: Command
) -> None:
    run, _, network, weaker = world
    samples = toy_samples(tmp_path / "clinic", 48, 9)
    for one, net in ((run, network), (other, weaker)):
        evaluate_other(one, one.recipe, as_test(samples), net, "clinic")
    words = ("compare", run.folder, other.folder, "--data", tmp_path / "clinic", "--json")
    found = json.loads(command(*words))
    assert found["comparisons"][0]["units"]["image"]["cases"] == 48
    assert {row["images"] for row in found["runs"]} == {48}
    elsewhere = command("compare", run.folder, other.folder, "--data", "elsewhere", code=4)
    assert "not evaluated on elsewhere" in elsewhere
