"""Cross-validation: each image is tested once, by a network that did not learn from it."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pacs_ai.errors import ConfigError, DataError
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.runtime import Runtime
from pacs_ai.statistics.metrics import auc
from tests.training.quick_run import held
from tests.training.recipe_data import write_pictures
from tests.training.recipe_runs import BASE, DATA
from training.bundle.quantise import checked_bundle
from training.data.split import draw_fold
from training.evaluate.baseline_file import load_baselines
from training.evaluate.cases import Scores
from training.evaluate.compare import compare
from training.evaluate.publish import calibration_of
from training.evaluate.set_figures import mean_sets
from training.folds import train_folds
from training.learn.train import load_network
from training.recipe.data import Split
from training.recipe.recipe import Recipe, load_recipe, merge
from training.recipe.toml import dumps
from training.run.checks import changes, require_network, require_training
from training.run.run import Run

pytestmark = pytest.mark.train

FOLDS = 3


def recipe_of(folder: Path, **split: object) -> Recipe:
    write_pictures(folder)
    split = {"by": "hash", "folds": FOLDS, "validation": 0.3, **split}
    values = merge(BASE, {"data": DATA["folders"], "split": split})
    path = folder / "recipe.toml"
    path.write_text(dumps(values), encoding="utf-8")
    return load_recipe(path)


def test_each_unit_is_in_the_test_split_of_one_fold_and_each_class_in_all() -> None:
    classes = {f"patient {i}": frozenset({i % 10 == 0}) for i in range(100)}
    tested: list[str] = []
    for number in range(1, 6):
        drawn = draw_fold(classes, Split(folds=5, fold=number))
        assert set(drawn) == set(classes)
        test = [unit for unit, name in drawn.items() if name == "test"]
        assert len(test) == 20
        assert sum(True in classes[unit] for unit in test) == 2
        rest = [unit for unit in drawn if unit not in test]
        validation = [unit for unit in rest if drawn[unit] == "validation"]
        assert len(validation) == 12
        tested += test
    assert sorted(tested) == sorted(classes)


@pytest.mark.parametrize(
    "split", [{"by": "given"}, {"folds": 1}, {"fold": 4}, {"file": "split.csv"}]
)
def test_splits_that_have_no_folds_are_refused(tmp_path: Path, split: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="fold"):
        recipe_of(tmp_path, **split)


def test_a_run_of_folds_stays_as_it_is(tmp_path: Path) -> None:
    run = Run.create(recipe_of(tmp_path), tmp_path / "run")
    before = held(run.folder)
    for check in (require_network, require_training):
        with pytest.raises(DataError, match=r"a network for each fold: .*fold-1"):
            check(run)
    with pytest.raises(DataError, match="with --images"):
        checked_bundle(run, run.bundle)
    assert held(run.folder) == before


def test_all_folds_make_one_report_and_one_bundle(tmp_path: Path) -> None:
    run = Run.create(recipe_of(tmp_path), tmp_path / "run")
    train_folds(run)
    members = [Run.open(run.folder / f"fold-{number}") for number in range(1, FOLDS + 1)]
    tested: list[str] = []
    for member in members:
        with member.split.open() as file:
            rows = [row for row in csv.DictReader(file) if not row["left_out"]]
        tested += [row["file"] for row in rows if row["split"] == "test"]
    assert sorted(tested) == sorted({row["file"] for row in rows})
    assert not any(changes(run, step) for step in ("evaluate", "export"))
    figures = json.loads((run.evaluation / "figures.json").read_text())
    assert figures["set"]["images"] == len(tested)
    assert (run.evaluation / "report.html").is_file()
    truth = np.concatenate([Scores.load(m.evaluation / "test_scores.npz").truth for m in members])
    for name, found in figures["units"]["image"]["baselines"].items():
        kept = [load_baselines(member.evaluation / "baselines.npz")[name] for member in members]
        logits = np.concatenate([each.logits / each.calibration.temperature for each in kept])
        score = logits[:, 1] - logits[:, 0]
        wanted = auc(score, truth[:, 1], np.ones((1, len(score))))[0]
        assert found["overall"]["auc"]["value"] == pytest.approx(wanted, abs=1e-3), name
        assert found["advantage"]["auc"]["low"] is not None
    assert "Compared with baselines" in (run.evaluation / "report.html").read_text()
    copied = Run.open(Path(shutil.copytree(run.folder, tmp_path / "copied")))
    (pair,) = compare([run, copied])["comparisons"]
    assert pair["units"]["image"]["cases"] == len(tested)
    assert pair["units"]["image"]["figures"]["auc"]["difference"]["high"] == 0.0
    parts = [calibration_of(member).sets for member in members]
    assert calibration_of(run).sets == mean_sets(parts)
    assert mean_sets([*parts, None]) is None
    bundle = load_bundle(run.bundle)
    spec = bundle.input
    images = np.random.default_rng(1).uniform(-1, 1, (2, spec.height, spec.width, 1))
    logits = [
        load_network(member).predict_on_batch(images) / calibration_of(member).temperature
        for member in members
    ]
    for index, x in enumerate(images.astype(np.float32)):
        served, _ = Runtime(bundle).predict(x[None])
        assert np.allclose(served[0], np.mean(logits, axis=0)[index], atol=1e-4)
    made = (run.bundle / "model.onnx").stat().st_mtime_ns
    run.forget("export")
    train_folds(run)  # as with --resume: only the export is repeated
    assert (run.bundle / "model.onnx").stat().st_mtime_ns > made
    assert all("train: already done" in (m.folder / "log.txt").read_text() for m in members)
