"""A loss or a pixel that is not a finite number stops with its cause."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import pytest

from pacs_ai.dicom.grey import RenderedImage
from pacs_ai.errors import DataError, LossNotFinite
from training.data.fingerprint import fingerprints
from training.data.read import read_input
from training.data.samples import Dataset
from training.learn.finite import refuse_not_finite
from training.learn.train import train
from training.learn.tune import tune
from training.recipe.learning import Optimisation
from training.recipe.recipe import Recipe
from training.run.run import Run

pytestmark = [
    pytest.mark.train,
    pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]

Small = Callable[..., Recipe]
PLAIN = {"map_weight": 0.0, "epochs": 4, "weight_decay": 0.0, "warmup_epochs": 0.0}


def test_a_learning_rate_that_is_too_high_is_named_with_its_epoch(
    small: Small, dataset: Dataset, tmp_path: Path
) -> None:
    run = Run.create(small(optimisation={**PLAIN, "learning_rate": 1e30}), tmp_path)
    with pytest.raises(LossNotFinite, match=r"epoch \d: .*optimisation.learning_rate = 1e\+30"):
        train(run, run.recipe, dataset)
    if run.best.exists():
        with np.load(run.best) as arrays:
            assert all(np.isfinite(arrays[name]).all() for name in arrays.files)


def test_sixteen_bits_are_a_possible_cause() -> None:
    config = Optimisation(precision="mixed_float16")
    with pytest.raises(LossNotFinite, match=r"val_loss is nan.*precision"):
        refuse_not_finite({"loss": 1.0, "val_loss": float("nan")}, config, "train: epoch 2")
    refuse_not_finite({"loss": 1.0, "accuracy": float("nan")}, config, "train: epoch 2")


def test_a_trial_that_is_not_finite_fails_and_is_never_the_best(
    small: Small, dataset: Dataset, tmp_path: Path
) -> None:
    recipe = small(optimisation=PLAIN, tuning={"learning_rate": (1e29, 1e30)})
    run = Run.create(recipe, tmp_path / "run")
    with pytest.raises(LossNotFinite, match="none of 1 trials"):
        tune(run, run.recipe, dataset, trials=1, epochs=1)
    study = optuna.load_study(study_name="tuning", storage=f"sqlite:///{run.folder / 'study.db'}")
    assert study.trials[0].state is optuna.trial.TrialState.FAIL
    usual = recipe.model_copy(
        update={"tuning": recipe.tuning.model_copy(update={"learning_rate": (1e-4, 1e-3)})}
    )
    found = tune(run, usual, dataset, trials=2, epochs=1)
    assert (found["trials"], found["failed"]) == (2, 1)
    assert found["best"]["learning_rate"] <= 1e-3


def test_a_pixel_that_is_not_finite_is_named(
    small: Small, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = dataset.train[3]
    whole = RenderedImage.grey.fget

    def grey(shown: RenderedImage) -> np.ndarray:
        values = np.array(whole(shown))
        values[0, 0] = np.nan
        return values

    monkeypatch.setattr(RenderedImage, "grey", property(grey))
    with pytest.raises(DataError, match=f"{broken.path.name}: has pixels that are not finite"):
        read_input(broken, small().input)
    (found,) = fingerprints([broken], {}, workers=1)
    assert "not finite" in found.error
