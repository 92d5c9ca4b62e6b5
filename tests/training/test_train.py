"""Training itself: repeatable, interruptible, and honest about what was best."""

import csv
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from training.data.samples import Dataset
from training.learn.checkpointing import Checkpointing
from training.learn.train import load_network, train
from training.recipe.recipe import Recipe
from training.run.run import Run

pytestmark = pytest.mark.train

Small = Callable[..., Recipe]


def trained(folder: Path, recipe: Recipe, dataset: Dataset) -> list[np.ndarray]:
    run = Run.start(recipe, folder, resume=True)
    train(run, recipe, dataset)
    return load_network(run).get_weights()


def equal(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "history.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


@pytest.fixture
def stop_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Press Ctrl-C after so many batches of this process."""

    def arm(batches: int) -> None:
        left = [batches]
        goes_on = Checkpointing.on_train_batch_begin

        def press(checkpointing: Checkpointing, batch: int, logs: object = None) -> None:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGINT)
            goes_on(checkpointing, batch, logs)

        monkeypatch.setattr(Checkpointing, "on_train_batch_begin", press)

    return arm


STATES: dict[str, object] = {"schedule": "plateau", "plateau_patience": 1, "average": 0.9}
STATES |= {"head_rate": 2.0, "depth_decay": 0.8, "map_weight": 0.0}
MIXED = {"optimisation": STATES, "augmentation": {"mixup": 0.4, "cutmix": 1.0, "changes": 2}}


@pytest.mark.parametrize(
    ("batches", "sections"),
    [
        pytest.param(6, {}, id="in the last batch of the first epoch", marks=pytest.mark.thorough),
        pytest.param(9, MIXED, id="in the second, with every state"),
    ],
)
def test_an_interrupted_training_ends_as_one_that_was_not(
    batches: int,
    sections: dict[str, dict[str, object]],
    small: Small,
    dataset: Dataset,
    tmp_path: Path,
    stop_at: Callable[[int], None],
) -> None:
    recipe = small(**sections, network={"dropout": 0.3})
    whole = trained(tmp_path / "whole", recipe, dataset)
    stop_at(batches)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "parts", recipe, dataset)
    assert (tmp_path / "parts" / "train.checkpoint.npz").is_file()
    assert equal(whole, trained(tmp_path / "parts", recipe, dataset))
    assert rows(tmp_path / "whole") == rows(tmp_path / "parts")


@pytest.mark.thorough
def test_another_seed_makes_another_network(small: Small, dataset: Dataset, tmp_path: Path) -> None:
    """The test above shows that the same seed makes the same."""
    first, second = (
        trained(tmp_path / str(seed), small(optimisation={"seed": seed, "epochs": 1}), dataset)
        for seed in (3, 4)
    )
    assert not equal(first, second)


def test_a_run_shows_what_happened(small: Small, dataset: Dataset, tmp_path: Path) -> None:
    recipe = small(optimisation={"warmup_epochs": 1.0, "schedule": "cosine"})
    trained(tmp_path, recipe, dataset)
    history = rows(tmp_path)
    assert [row["epoch"] for row in history] == ["1", "2"]
    assert {"loss", "val_loss", "learning_rate", "class_accuracy"} <= set(history[0])
    assert (tmp_path / "plots" / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert list((tmp_path / "tensorboard").glob("events.out.tfevents.*"))
    assert "epoch 2 of 2" in (tmp_path / "log.txt").read_text()


def test_training_stops_when_nothing_gets_better(
    small: Small, dataset: Dataset, tmp_path: Path
) -> None:
    recipe = small(optimisation={"epochs": 30, "patience": 2, "learning_rate": 1e-9})
    recipe = recipe.model_copy(
        update={"optimisation": recipe.optimisation.model_copy(update={"monitor": "accuracy"})}
    )
    trained(tmp_path, recipe, dataset)
    assert 3 <= len(rows(tmp_path)) < 30


@pytest.mark.slow
def test_a_frozen_base_keeps_its_weights_and_features_are_computed_once(
    small: Small, dataset: Dataset, tmp_path: Path
) -> None:
    first = small(optimisation={"epochs": 1})
    start = trained(tmp_path / "first", first, dataset)
    still = dict.fromkeys(first.augmentation.model_fields_set - {"fill"}, 0)
    frozen = small(
        network={"weights": str(tmp_path / "first" / "best.weights.npz")},
        augmentation=still,
        optimisation={"base": "frozen", "map_weight": 0.0, "epochs": 3, "learning_rate": 0.05},
    )
    end = trained(tmp_path / "second", frozen, dataset)
    assert equal(start[:-2], end[:-2])
    assert not equal(start[-2:], end[-2:])
    assert list((tmp_path / "second" / "cache").glob("features-*.npy"))
    # The same with every image shown again: what features save is time.
    varied = frozen.model_copy(
        update={"augmentation": frozen.augmentation.model_copy(update={"contrast": 1e-7})}
    )
    shown = trained(tmp_path / "third", varied, dataset)
    assert not list((tmp_path / "third" / "cache").glob("features-*.npy"))
    assert np.allclose(shown[-2], end[-2], atol=2e-3)
