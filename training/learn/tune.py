"""Search for good settings: many short trainings, compared on validation, by Optuna."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import keras
import optuna

from pacs_ai.errors import DataError, LossNotFinite
from pacs_ai.files import atomic_write
from training.data.augment import INTENSITIES, MOVEMENTS
from training.data.samples import Dataset
from training.data.sampling import steps_per_epoch
from training.data.store import Store
from training.learn.batch_norm import BatchNormStatistics
from training.learn.checkpointing import monitored_value
from training.learn.environment import environment
from training.learn.finetune import layers_from
from training.learn.finite import refuse_not_finite
from training.learn.optimizer import build_optimizer
from training.learn.train import choose_task, load_splits
from training.learn.training_task import compile_model
from training.networks import base_layers, build_network
from training.recipe.data import Augmentation
from training.recipe.learning import Optimisation
from training.recipe.recipe import Recipe
from training.recipe.toml import dumps
from training.run.provenance import Provenance
from training.run.run import Run

STUDY = "study.db"
_MADE_FROM = "made_from"
_STRENGTHS = (*MOVEMENTS, *INTENSITIES)
_LIMITS = {"rotation_degrees": 180.0, "gamma": 4.0}
_BELOW_ONE = 0.99


class TrialReport(keras.callbacks.Callback):  # type: ignore[misc]
    """Reports each epoch to the study, and ends a trial that the study prunes.

    Parameters
    ----------
    trial
        The trial.
    config
        The settings of the trial.
    """

    def __init__(self, trial: optuna.Trial, config: Optimisation) -> None:
        super().__init__()
        self.best = float("inf")
        self._trial, self._config = trial, config

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Report the monitored value; end the trial if it is pruned or its loss is not finite."""
        refuse_not_finite(logs or {}, self._config, f"epoch {epoch + 1}")
        held = {
            key.removeprefix("val_"): value
            for key, value in (logs or {}).items()
            if key.startswith("val_")
        }
        figure = monitored_value(held, self._config.monitor)
        self.best = min(self.best, figure)
        self._trial.report(figure, epoch)
        if self._trial.should_prune():
            raise optuna.TrialPruned


def tune(
    run: Run, recipe: Recipe, dataset: Dataset, *, trials: int | None, epochs: int | None
) -> dict[str, Any]:
    """Run the missing trials of a study, and write the best settings as a recipe.

    Parameters
    ----------
    run
        Gets ``study.db`` (SQLite, which Optuna and its dashboards read) and ``tuned.toml``.
    recipe
        The recipe to tune; its section ``[tuning]`` has the ranges.
    dataset
        Trials learn from its training split and are compared on its validation split; the test
        split is not used.
    trials, epochs
        Number of trials, and of epochs in each; None takes the recipe's.

    Returns
    -------
    dict
        ``best`` settings, their ``figure``, and how many ``trials`` there are; ``pruned`` and
        ``failed`` (with a loss that is not finite) are among them.

    Raises
    ------
    LossNotFinite
        If no trial ended with a finite loss.
    DataError
        If the trials of the study were made with another split, recipe or number of epochs.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    wanted = trials or recipe.tuning.trials
    study = optuna.create_study(
        storage=f"sqlite:///{run.folder / STUDY}",
        study_name="tuning",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=recipe.optimisation.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1),
    )
    length = epochs or recipe.tuning.epochs
    _bind(study, run, length)
    stores = load_splits(run, recipe, dataset)

    def objective(trial: optuna.Trial) -> float:
        chosen = suggest(trial, recipe, length)
        try:
            figure = run_trial(run, chosen, stores, trial)
        except LossNotFinite as error:
            run.log(f"trial {trial.number + 1} of {wanted} failed: {error.message}")
            raise
        run.log(f"trial {trial.number + 1} of {wanted}: {figure:.4f} with {trial.params}")
        return figure

    finished = [t for t in study.trials if t.state.is_finished()]
    study.optimize(objective, max(0, wanted - len(finished)), catch=(LossNotFinite,))
    counts = Counter(each.state for each in study.trials)
    if not counts[optuna.trial.TrialState.COMPLETE]:
        raise LossNotFinite(
            f"none of {len(study.trials)} trials ended with a finite loss: lower the range "
            f"tuning.learning_rate = {list(recipe.tuning.learning_rate)}"
        )
    best = suggest(optuna.trial.FixedTrial(study.best_params), recipe, recipe.optimisation.epochs)
    atomic_write(run.folder / "tuned.toml", dumps(best.model_dump(mode="json", exclude_none=True)))
    return {
        "best": study.best_params,
        "figure": study.best_value,
        "trials": len(study.trials),
        "pruned": counts[optuna.trial.TrialState.PRUNED],
        "failed": counts[optuna.trial.TrialState.FAIL],
        "recipe": str(run.folder / "tuned.toml"),
    }


def _bind(study: optuna.Study, run: Run, epochs: int) -> None:
    """Record what trials are made from, or refuse trials that were made from something else.

    Raises
    ------
    DataError
        Names what differs, and the remedy.
    """
    now, recorded = run.provenance("train"), study.user_attrs.get(_MADE_FROM, {})
    before = Provenance.read(recorded) if study.trials else None
    if before is None:  # no trial yet, or trials of a version that did not record it
        study.set_user_attr(_MADE_FROM, {"epochs": epochs, **now.to_dict()})
        return
    differences = before.differences(now)
    if recorded["epochs"] != epochs:
        differences.append(f"their number of epochs ({recorded['epochs']} and {epochs})")
    if differences:
        raise DataError(
            f"the trials of {run.folder / STUDY} cannot be compared with new ones, because of "
            f"{' and '.join(differences)}: name another folder (--out), or delete {STUDY}"
        )


def suggest(trial: optuna.trial.BaseTrial, recipe: Recipe, epochs: int) -> Recipe:
    """Return the recipe with the settings that a trial suggests."""
    ranges = recipe.tuning
    rate = trial.suggest_float("learning_rate", *ranges.learning_rate, log=True)
    dropout = trial.suggest_float("dropout", *ranges.dropout)
    strength = trial.suggest_float("augmentation", *ranges.augmentation)
    changed: dict[str, object] = {
        "network": recipe.network.model_copy(update={"dropout": dropout}),
        "optimisation": recipe.optimisation.model_copy(
            update={"learning_rate": rate, "epochs": epochs}
        ),
        "augmentation": scale_augmentation(recipe.augmentation, strength),
    }
    if recipe.finetune is not None:
        depth = trial.suggest_int("unfreeze", 0, len(recipe.finetune.unfreeze))
        changed["finetune"] = (
            recipe.finetune.model_copy(update={"unfreeze": recipe.finetune.unfreeze[:depth]})
            if depth
            else None
        )
    return recipe.model_copy(update=changed)


def scale_augmentation(config: Augmentation, strength: float) -> Augmentation:
    """Multiply every range of the augmentation by ``strength``; flips and mixing stay."""
    scaled = {
        name: min(getattr(config, name) * strength, _LIMITS.get(name, _BELOW_ONE))
        for name in _STRENGTHS
    }
    return config.model_copy(update=scaled)


def run_trial(run: Run, recipe: Recipe, stores: tuple[Store, Store], trial: optuna.Trial) -> float:
    """Train for a trial, and return the best monitored value on validation; lower is better."""
    config = recipe.optimisation
    steps = steps_per_epoch(len(stores[0].samples), recipe.feeding)
    report = TrialReport(trial, config)
    with environment(recipe):
        network = build_network(recipe.input, recipe.network, len(recipe.classes))
        task = choose_task(run, recipe, network, *stores)
        if recipe.network.weights != "none" and recipe.finetune is not None:
            learns = {id(layer) for layer in layers_from(network, recipe.finetune.unfreeze)}
            for layer in base_layers(network):
                layer.trainable = id(layer) in learns
        compile_model(task.model, recipe, build_optimizer(config, network, steps, config.epochs))
        task.model.fit(
            task.batches(0),
            steps_per_epoch=steps,
            epochs=config.epochs,
            validation_data=task.validation,
            callbacks=[
                BatchNormStatistics(network, task, steps, recipe.feeding.batch),
                report,
            ],
            shuffle=False,
            verbose=0,
        )
    return report.best
