"""Looking for settings: the learning rate finder and the study."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import pytest

from pacs_ai.errors import DataError
from tests.training.quick_run import Command, edit, write_recipe
from training.data.samples import Dataset
from training.learn.lr_finder import find_learning_rate, steepest
from training.learn.tune import scale_augmentation, tune
from training.pipeline import Pipeline
from training.recipe.data import Augmentation
from training.recipe.recipe import Recipe, load_recipe
from training.run.run import Run

pytestmark = pytest.mark.train

Small = Callable[..., Recipe]


def test_the_steepest_fall_is_suggested() -> None:
    rates = np.logspace(-7, 0, 120)
    losses = 1.0 - 0.8 / (1 + (1e-3 / rates) ** 2) + np.where(rates > 0.1, 50 * rates, 0)
    assert 3e-4 < steepest(rates, losses) < 2e-3


def test_the_finder_leaves_a_plot_and_no_weights(
    small: Small, dataset: Dataset, tmp_path: Path
) -> None:
    run = Run.create(small(optimisation={"map_weight": 0.0}), tmp_path)
    found = find_learning_rate(run, run.recipe, dataset)
    assert 1e-7 <= found["suggested"] <= 1.0
    assert (tmp_path / "plots" / "learning_rate.png").is_file()
    assert len((tmp_path / "learning_rate.csv").read_text().splitlines()) == found["seen"] + 1
    assert not run.best.exists()


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_a_study_goes_on_where_it_stopped(tmp_path: Path) -> None:
    recipe = load_recipe(write_recipe(tmp_path)).model_copy(update={"finetune": None})
    run = Run.create(recipe, tmp_path)
    dataset = Pipeline(run).dataset
    first = tune(run, run.recipe, dataset, trials=2, epochs=1)
    assert first["trials"] == 2
    assert set(first["best"]) == {"learning_rate", "dropout", "augmentation"}
    second = tune(run, run.recipe, dataset, trials=3, epochs=1)
    assert second["trials"] == 3
    assert second["figure"] <= first["figure"]
    assert tune(run, run.recipe, dataset, trials=3, epochs=1)["trials"] == 3
    tuned = load_recipe(tmp_path / "tuned.toml")
    assert tuned.optimisation.learning_rate == second["best"]["learning_rate"]
    study = optuna.load_study(study_name="tuning", storage=f"sqlite:///{tmp_path / 'study.db'}")
    assert len(study.trials) == 3
    with pytest.raises(DataError, match=r"their number of epochs \(1 and 2\): name another folder"):
        tune(run, run.recipe, dataset, trials=4, epochs=2)


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_trials_of_other_data_are_not_gone_on_with(tmp_path: Path, command: Command) -> None:
    """A label is corrected: with the old split, and with a split that is drawn from it."""
    words = ("tune", write_recipe(tmp_path), "--out", tmp_path / "run", "--epochs", 1)
    command(*words, "--trials", 1)
    edit(tmp_path / "pictures" / "labels.csv", "000.png,empty", "000.png,bright")
    assert "changed labels: 1" in command(*words, "--trials", 2, "--resume", code=4)
    (tmp_path / "run" / "split.csv").unlink()
    said = command(*words, "--trials", 2, "--resume", code=4)
    assert "cannot be compared with new ones, because of the split" in said
    (tmp_path / "run" / "study.db").unlink()
    assert command(*words, "--trials", 1, "--resume")


def test_augmentation_is_made_stronger_within_its_limits() -> None:
    config = Augmentation(flip_horizontal=True, shift=0.8, rotation_degrees=150, noise=0.1)
    strong = scale_augmentation(config, 1.5)
    assert strong.flip_horizontal
    assert (strong.shift, strong.rotation_degrees) == (0.99, 180.0)
    assert strong.noise == pytest.approx(0.15)
    assert scale_augmentation(config, 0.0).shift == 0.0
