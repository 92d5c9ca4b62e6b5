"""Fine-tuning: what learns, in which order, and that it never makes a network worse."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from keras import layers

from pacs_ai.errors import ConfigError
from tests.training.quick_run import copy_of
from training.data.samples import Dataset
from training.learn.finetune import finetune, layers_from, plan_phases
from training.learn.train import load_network, train
from training.networks import build_network
from training.recipe.learning import Finetune
from training.recipe.recipe import Recipe
from training.run.run import Run

pytestmark = pytest.mark.train

Small = Callable[..., Recipe]


@pytest.fixture(scope="module")
def trained(small: Small, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = Run.create(small(optimisation={"epochs": 1}), tmp_path_factory.mktemp("trained"))
    train(run, run.recipe, dataset)
    return run.folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Run:
    return Run.open(copy_of(trained, tmp_path))


def tuned(recipe: Recipe, **values: object) -> Recipe:
    return recipe.model_copy(update={"finetune": Finetune.model_validate(values)})


def test_layers_are_named_by_the_start_of_their_names(small_recipe: Recipe) -> None:
    network = build_network(small_recipe.input, small_recipe.network, 2)
    last = layers_from(network, ["stage3"])
    assert last[0].name.startswith("stage3")
    assert "stem_conv" not in {layer.name for layer in last}
    more = layers_from(network, ["stage3", "stage2"])
    assert len(last) < len(more) < len(layers_from(network, ["all"]))
    with pytest.raises(ConfigError, match="conv5"):
        layers_from(network, ["conv5"])


def test_blocks_join_one_after_another(small: Small, tmp_path: Path) -> None:
    recipe = tuned(small(), unfreeze=("stage3", "stage2", "all"), epochs=9)
    run = Run.create(recipe, tmp_path)
    network = build_network(recipe.input, recipe.network, 2)
    phases = plan_phases(run, recipe, network, 35)
    assert [phase.epochs for phase, _ in phases] == [3, 3, 3]
    assert [len(each) for _, each in phases] == sorted(len(each) for _, each in phases)
    at_once = recipe.model_copy(
        update={"finetune": recipe.finetune.model_copy(update={"gradual": False})}
    )
    ((phase, learns),) = plan_phases(run, at_once, network, 35)
    assert phase.epochs == 9
    assert len(learns) == len(layers_from(network, ["all"]))


def test_each_stage_has_the_schedule_of_the_recipe(small: Small, tmp_path: Path) -> None:
    recipe = tuned(small(), unfreeze=("stage3", "all"), schedule="cosine", warmup_epochs=0.5)
    network = build_network(recipe.input, recipe.network, 2)
    phases = plan_phases(Run.create(recipe, tmp_path), recipe, network, 35)
    assert {(each.config.schedule, each.config.warmup_epochs) for each, _ in phases} == {
        ("cosine", 0.5)
    }
    assert Finetune().schedule == "constant"


def test_it_gets_better_or_keeps_what_it_had(run: Run, dataset: Dataset) -> None:
    stages = {"unfreeze": ("stage3", "all"), "epochs": 2, "learning_rate": 1e-3}
    recipe = tuned(run.recipe, **stages, schedule="cosine")
    start = load_network(run)
    found = finetune(run, recipe, dataset)
    after = load_network(run)
    changed = any(
        not np.array_equal(a, b)
        for a, b in zip(start.get_weights(), after.get_weights(), strict=True)
    )
    assert changed == (found["kept"] == "fine-tuned")
    assert (run.folder / "finetune.csv").is_file()
    for before, now in zip(start.layers, after.layers, strict=True):
        if isinstance(before, layers.BatchNormalization):
            assert all(
                np.array_equal(a, b)
                for a, b in zip(before.get_weights(), now.get_weights(), strict=True)
            )


@pytest.mark.slow
def test_what_makes_it_worse_is_thrown_away(run: Run, dataset: Dataset) -> None:
    best = run.best.read_bytes()
    # steps so large that the network is lost
    found = finetune(run, tuned(run.recipe, epochs=1, learning_rate=1.0), dataset)
    assert found["kept"] == "start"
    assert run.best.read_bytes() == best
    assert "did not improve" in (run.folder / "log.txt").read_text()


def test_without_a_section_nothing_is_done(run: Run, dataset: Dataset) -> None:
    assert finetune(run, run.recipe, dataset)["kept"] == "start"
