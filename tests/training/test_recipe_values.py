"""Every documented value of every key of a recipe runs once."""

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import keras
import numpy as np
import pytest

from pacs_ai.phantom import write_phantom_collection
from tests.training.nbia_server import NbiaServer, manifest
from tests.training.quick_run import write_recipe
from tests.training.recipe_data import write_pictures, write_tables
from tests.training.recipe_runs import BASE, RUNS
from tests.training.recipe_values import Key, documented, used
from training.download.step import download
from training.learn.tune import tune
from training.networks import build_network
from training.networks.weights import save_weights
from training.pipeline import Pipeline
from training.recipe.learning import Backbone
from training.recipe.recipe import Recipe, load_recipe, merge
from training.recipe.toml import dumps
from training.run.run import STEPS, Run

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning"),
]

NEEDED = {
    **dict.fromkeys(("limit", "data", "split", "input"), "dataset"),
    **dict.fromkeys(("augmentation", "feeding", "network", "optimisation"), "train"),
    "finetune": "finetune",
    **dict.fromkeys(("evaluation", "release"), "evaluate"),
    "explanation": "explain",
    **dict.fromkeys(("export", "card", "classes"), "export"),
}
"""The step that uses a section: only runs that reach it count."""

ELSEWHERE: Mapping[tuple[str, object], tuple[str, str]] = {
    ("split.folds", None): ("test_folds.py", '"folds": FOLDS'),
    ("split.fold", None): ("test_folds.py", "fold=number"),
    ("data.archive", "idc"): ("test_download_idc.py", 'archive="idc"'),
    ("data.collection", None): ("collection.py", "collection ="),
    ("data.manifest", None): ("test_recipe_values.py", '"manifest": cart'),
    ("data.server", None): ("test_recipe_values.py", '"server": server.url'),
    ("export.prediction_sets", False): ("test_export.py", '"prediction_sets": False'),
    ("split.file", None): ("test_split_file.py", "file=run.split"),
    ("data.fetch", None): ("test_recipe_values.py", '"fetch": {'),
    **{
        ("network.architecture", name): ("test_network.py", f'"{name}"')
        for name in get_args(Backbone.model_fields["architecture"].annotation)
    },
    ("network.architecture", "convnext-tiny"): ("test_network.py", '"convnext-tiny"'),
    ("network.architecture", "efficientnet-lite0"): ("conftest.py", '"efficientnet-lite0"'),
    **{
        ("network.architecture", name): ("test_weights.py", f'"{name}"')
        for name in ("efficientnet-lite1", "efficientnet-lite2")
    },
    ("finetune.schedule", "cosine"): ("test_finetune.py", '**stages, schedule="cosine"'),
    ("optimisation.devices", "mirrored"): ("test_distribute.py", '"mirrored"'),
    **{
        (f"tuning.{name}", None): ("test_recipe_values.py", f'"{name}": ')
        for name in ("trials", "epochs", "learning_rate", "dropout", "augmentation")
    },
}
"""Values that take a server, several processes or a large network: the test that runs them."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("values")
    write_pictures(made)
    write_phantom_collection(made / "tree", 16, seed=5)
    write_tables(made)
    return made


def recipe_of(folder: Path, name: str, **more: Mapping[str, object]) -> Recipe:
    _, changes = RUNS[name]
    path = folder / f"{name}.toml"
    path.write_text(dumps(merge(merge(BASE, changes), more)), encoding="utf-8")
    return load_recipe(path)


def check_float32(run: Run) -> None:
    """The weights are finite numbers of float32, also if half precision computed them."""
    with np.load(run.best) as weights:
        values = [weights[name] for name in weights.files]
    assert values
    assert all(each.dtype == np.float32 and np.isfinite(each).all() for each in values)
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize("name", RUNS)
def test_a_run_reaches_its_last_step(folder: Path, tmp_path: Path, name: str) -> None:
    recipe = recipe_of(folder, name)
    if recipe.network.weights != "none":
        random = recipe.network.model_copy(update={"weights": "none"})
        save_weights(build_network(recipe.input, random, 2), Path(recipe.network.weights))
    run = Run.create(recipe, tmp_path / "run")
    last, changes = RUNS[name]
    pipeline = Pipeline(run)
    for step in STEPS[: STEPS.index(last) + 1]:
        if step != "explain" or "explanation" in changes:  # it takes as long as training
            pipeline.run_step(step)
    assert run.done(last)
    if run.done("train"):
        check_float32(run)
    if last == "export":
        assert (run.bundle / "model.onnx").is_file()


def test_a_tuning_uses_its_ranges(folder: Path, tmp_path: Path) -> None:
    tuning = {
        "trials": 1,
        "epochs": 1,
        "learning_rate": [1e-4, 1e-3],
        "dropout": [0.1, 0.2],
        "augmentation": [0.5, 1.0],
    }
    run = Run.create(recipe_of(folder, "softmax", tuning=tuning), tmp_path / "run")
    found = tune(run, run.recipe, Pipeline(run).dataset, trials=None, epochs=None)
    assert found["trials"] == 1
    for name in ("learning_rate", "dropout", "augmentation"):
        low, high = tuning[name]
        assert low <= found["best"][name] <= high


def test_a_manifest_of_a_server_is_fetched(
    folder: Path, server: NbiaServer, tmp_path: Path
) -> None:
    cart = tmp_path / "cart.tcia"
    cart.write_text(manifest(server.series, server.url), encoding="utf-8")
    data = recipe_of(folder, "PatientID").data.model_copy(
        update={
            "folder": tmp_path / "images",
            "manifest": cart,
            "server": server.url,
            "fetch": {"Modality": "CT"},
        }
    )
    run = Run.create(recipe_of(folder, "PatientID"), tmp_path / "run")
    fetched = download(data, run.console)
    assert fetched is not None
    assert fetched.new_series == 2


@pytest.fixture(scope="module")
def run_values(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[object]]:
    """The values of each key, of all runs that reach the step that uses it.

    Among them is the run of the fixture ``finished_run``, which many tests of other files share.
    """
    found: dict[str, list[object]] = {}
    runs = [(recipe_of(folder, name), last) for name, (last, _) in RUNS.items()]
    runs.append((load_recipe(write_recipe(tmp_path_factory.mktemp("finished"))), "export"))
    for recipe, last in runs:
        for path, value in used(recipe.model_dump(mode="json")):
            needed = NEEDED.get(path.split(".")[0])
            if needed is not None and STEPS.index(last) >= STEPS.index(needed):
                found.setdefault(path, []).append(value)
    return found


@pytest.mark.parametrize("key", documented().values(), ids=lambda key: key.path)
def test_every_documented_value_has_a_run(
    key: Key, run_values: dict[str, list[object]], root: Path
) -> None:
    tests = root / "tests" / "training"
    for value in key.values or (None,):
        if (key.path, value) in ELSEWHERE:
            file, text = ELSEWHERE[key.path, value]
            assert text in (tests / file).read_text(encoding="utf-8")
        elif value is None:
            given = [each for each in run_values.get(key.path, []) if each != key.default]
            assert [each for each in given if each not in (None, [], {})], "no run gives the key"
        else:
            assert value in run_values.get(key.path, []), f"no run takes {value!r}"
