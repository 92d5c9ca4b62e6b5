"""Learning rates by group: each variable moves at the rate of its group, and the files say so."""

import csv
import json
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.training.toys import KINDS, toy_recipe, toy_samples
from training.data.samples import Dataset
from training.learn.finetune import finetune
from training.learn.optimizer import build_optimizer, learning_rates
from training.learn.train import train
from training.networks import base_layers, build_network
from training.networks.groups import HEAD, groups
from training.recipe.learning import Backbone, EfficientNetLite, Finetune, Optimisation
from training.recipe.recipe import Recipe
from training.run.run import Run

pytestmark = pytest.mark.train

RATE = 1e-2
GROUPED = Optimisation(learning_rate=RATE, head_rate=10.0, depth_decay=0.5)
FACTORS = {"stem": 0.125, "stage1": 0.25, "stage2": 0.5, "stage3": 1.0, HEAD: 10.0}


def network_of(recipe: Recipe) -> keras.Model:
    keras.utils.set_random_seed(2)
    return build_network(recipe.input, recipe.network, 2)


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_each_variable_takes_the_step_of_its_group(
    small_recipe: Recipe, decay: float, precision: str
) -> None:
    network = network_of(small_recipe)
    config = GROUPED.model_copy(update={"weight_decay": decay})
    optimizer = build_optimizer(config, network, 10, 2)
    plain = build_optimizer(config.model_copy(update={"head_rate": 1.0, "depth_decay": 1.0}),
                            network, 10, 2)  # fmt: skip
    if precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=1.0)
        optimizer.build(network.trainable_variables)
    before = [v.numpy() for v in network.trainable_variables]
    gradients = [np.full(v.shape, 0.3, np.float32) for v in network.trainable_variables]
    optimizer.apply(gradients, network.trainable_variables)
    moved = [v.numpy() - b for v, b in zip(network.trainable_variables, before, strict=True)]
    for variable, value in zip(network.trainable_variables, before, strict=True):
        variable.assign(value)
    plain.apply(gradients, network.trainable_variables)
    factor_of = {path: FACTORS[name] for name, paths in groups(network).items() for path in paths}
    for variable, value, step in zip(network.trainable_variables, before, moved, strict=True):
        wanted = (variable.numpy() - value) * factor_of[variable.path]
        assert np.allclose(step, wanted, rtol=1e-3, atol=1e-6), variable.path
    rates = learning_rates(optimizer)
    assert rates.pop("learning_rate") == pytest.approx(RATE)
    assert rates == pytest.approx({f"learning_rate_{k}": RATE * f for k, f in FACTORS.items()})


def test_a_frozen_block_has_no_rate(small_recipe: Recipe) -> None:
    network = network_of(small_recipe)
    for layer in base_layers(network):
        layer.trainable = layer.name.startswith("stage3")
    rates = learning_rates(build_optimizer(GROUPED, network, 10, 2))
    assert [name for name, rate in rates.items() if rate == 0.0] == [
        "learning_rate_stem", "learning_rate_stage1", "learning_rate_stage2"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("config", "blocks"),
    [
        (
            EfficientNetLite(architecture="efficientnet-lite0"),
            ["stem", *(f"block{number}" for number in range(1, 8)), "top"],
        ),
        (Backbone(architecture="vgg16"), [f"block{number}" for number in range(1, 6)]),
    ],
)
def test_the_groups_are_the_blocks_in_their_order(
    config: Backbone, blocks: list[str], small_recipe: Recipe
) -> None:
    spec = small_recipe.input.model_copy(
        update={"height": 32, "width": 32, "preprocess": "letterbox-rgb-v1"}
    )
    network = build_network(spec, config, 2)
    found = groups(network)
    assert list(found) == [*blocks, HEAD]
    assert sum(map(len, found.values())) == len(network.weights)


def test_history_record_and_curves_have_the_rates(tmp_path: Path) -> None:
    grouped = {"head_rate": 4.0, "depth_decay": 0.5}
    recipe = toy_recipe(tmp_path)
    recipe = recipe.model_copy(
        update={
            "optimisation": Optimisation(epochs=1, learning_rate=RATE, **grouped),
            "finetune": Finetune(
                unfreeze=("stage1", "all"), epochs=2, learning_rate=1e-3, **grouped
            ),
        }
    )
    samples = toy_samples(tmp_path, 32, 3)
    dataset = Dataset(KINDS, samples, samples, samples)
    run = Run.create(recipe, tmp_path / "run")
    for name, step in (("train", train), ("finetune", finetune)):
        run.finish(name, step(run, recipe, dataset), 1.0)
    history = rows(run.history)
    assert float(history[0]["learning_rate_head"]) == pytest.approx(4 * RATE)
    assert float(history[0]["learning_rate_stem"]) == pytest.approx(RATE / 2)
    tuned = rows(run.folder / "finetune.csv")
    assert [float(row["learning_rate_stem"]) for row in tuned] == pytest.approx([0.0, 5e-4])
    record = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))["steps"]
    rates = record["train"]["summary"]["learning_rates"]
    assert rates == pytest.approx({"head": 4 * RATE, "stage1": RATE, "stem": RATE / 2})
    assert record["finetune"]["summary"]["learning_rates"]["stem"] == pytest.approx(5e-4)
    log = (run.folder / "log.txt").read_text(encoding="utf-8")
    assert "finetune 1: learning rates: head 0.004, stage1 0.001, stem 0" in log
    assert (run.plots / "curves.png").stat().st_size > 5000


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
