"""Fine-tune: unfreeze the network stage by stage, at a low learning rate; keep the better one."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
from keras import layers

from pacs_ai.errors import ConfigError, DataError
from pacs_ai.files import atomic_write
from training.data.samples import Dataset
from training.data.sampling import steps_per_epoch
from training.learn.checkpoint import Position, load_position
from training.learn.checkpointing import Phase, monitored_value
from training.learn.curves import draw_curves
from training.learn.distribute import devices
from training.learn.environment import environment
from training.learn.finite import refuse_not_finite
from training.learn.loop import learn
from training.learn.losses import CROSS_ENTROPY, cross_entropy
from training.learn.optimizer import build_optimizer, log_rates
from training.learn.tensorboard import TensorBoardScalars
from training.learn.train import load_network, load_splits
from training.learn.training_task import TrainingTask, compile_model, image_task
from training.networks import base_layers, build_network
from training.networks.weights import load_weights
from training.recipe.learning import Finetune, Optimisation
from training.recipe.recipe import Recipe
from training.run.provenance import file_digest
from training.run.run import Run

ALL = "all"
_TRAINED, _TUNED = "trained.weights.npz", "finetuned.weights.npz"
_MONITOR = CROSS_ENTROPY
"""Chooses the best epoch, whatever ``optimisation.monitor`` is. The loss will not do: its
regularisation counts only the layers that learn, so it differs between phases."""


def finetune(run: Run, recipe: Recipe, dataset: Dataset) -> Mapping[str, object]:
    """Fine-tune the network of a run, or resume it.

    Parameters
    ----------
    run
        Has a trained network, which is saved as ``trained.weights.npz``. ``best.weights.npz``
        becomes the fine-tuned network if that is better on validation.
    recipe
        The settings; without a section ``[finetune]`` nothing is done.
    dataset
        The network learns from its training split; its validation split compares.

    Returns
    -------
    Mapping
        The summary of the step: ``kept`` is ``fine-tuned`` or ``start``.

    Raises
    ------
    ConfigError
        If no layer has a name that ``finetune.unfreeze`` gives.
    DataError
        If the network that training made is missing.

    Notes
    -----
    Start and epochs are compared by the plain cross-entropy on validation: without label smoothing,
    class weights, regularisation and the loss of the heat map.
    """
    if recipe.finetune is None:
        return {"kept": "start", "why": "the recipe has no [finetune]"}
    trained, tuned = starting_weights(run), run.folder / _TUNED
    if not run.checkpoint("finetune").exists():
        tuned.unlink(missing_ok=True)  # of an earlier fine-tuning
    if file_digest(run.best) != file_digest(trained):
        atomic_write(run.best, trained.read_bytes())
    stores = load_splits(run, recipe, dataset)
    with environment(recipe), devices(recipe.optimisation.devices):
        network = load_network(run)
        task = image_task(recipe, network, *stores)
        before = _validate(task, recipe)
        phases = plan_phases(run, recipe, network, len(dataset.train))
        found = load_position(run.checkpoint("finetune")) or Position(best=before)
        rates: Mapping[str, object] = {}
        for phase, learns in phases[found.phase :]:
            if found.phase < phase.number:
                found = _next_phase(found, phase.number)
            load_weights(network, tuned if tuned.exists() else trained)
            _set_trainable(network, learns, recipe.finetune)
            task = image_task(recipe, network, *stores)
            optimizer = build_optimizer(phase.config, network, phase.steps, phase.epochs)
            rates = log_rates(run, phase.name, phase.config.learning_rate, optimizer)
            compile_model(task.model, recipe, optimizer, cross_entropy(recipe))
            callbacks = [TensorBoardScalars(run.tensorboard / phase.name)]
            found = learn(run, network, task, phase, start=found, extra=callbacks)
    draw_curves(found.rows, run.plots / "finetune.png")
    return {**_keep_better(run, tuned, before, found), **rates}


def starting_weights(run: Run) -> Path:
    """Return the file of the network that fine-tuning starts from, made by training.

    Raises
    ------
    DataError
        If training is not finished, or the file was replaced.
    """
    trained, made = run.folder / _TRAINED, run.recorded("train")
    if made is None or not made.weights:  # by an older version, which kept no hashes
        if not trained.exists():
            atomic_write(trained, run.best.read_bytes())
        return trained
    if file_digest(trained) != made.weights:
        if file_digest(run.best) != made.weights:
            raise DataError(
                f"neither {trained} nor {run.best} is the network that this run trained: put the "
                "file back as it was, or train in another folder"
            )
        atomic_write(trained, run.best.read_bytes())
    return trained


def discard_begun(run: Run) -> None:
    """Remove the state of a fine-tuning that was not finished."""
    run.checkpoint("finetune").unlink(missing_ok=True)
    (run.folder / _TUNED).unlink(missing_ok=True)


def check_layers(recipe: Recipe) -> None:
    """Check the layer names of ``[finetune]``; nothing is trained or loaded.

    Raises
    ------
    ConfigError
        If no layer has a name that ``finetune.unfreeze`` gives.
    """
    if recipe.finetune is not None:
        plain = recipe.network.model_copy(update={"weights": "none"})
        network = build_network(recipe.input, plain, len(recipe.classes))
        layers_from(network, recipe.finetune.unfreeze)


def _keep_better(run: Run, tuned: Path, before: float, found: Position) -> Mapping[str, object]:
    """Let the fine-tuned network replace the one from before, if it is better on validation."""
    better = tuned.exists() and found.best is not None and found.best < before
    reached = before if found.best is None else found.best
    if better:
        atomic_write(run.best, tuned.read_bytes())
        run.log(f"fine-tuning improved validation: {_MONITOR} {before:.4f} before, {reached:.4f}")
    else:
        run.log(
            f"fine-tuning did not improve validation: the network from before is kept ({_MONITOR} "
            f"{before:.4f})"
        )
    kept = "fine-tuned" if better else "start"
    figures = {"start": before, "best": reached, "epochs": len(found.rows)}
    return {"kept": kept, "monitor": _MONITOR, **figures}


def plan_phases(
    run: Run, recipe: Recipe, network: keras.Model, images: int
) -> list[tuple[Phase, Sequence[layers.Layer]]]:
    """List the phases, and the layers that are trainable in each.

    Raises
    ------
    ConfigError
        If no layer has a name that ``finetune.unfreeze`` gives.
    """
    config = recipe.finetune
    assert config is not None  # noqa: S101 - `finetune` checked it
    starts = range(1, len(config.unfreeze) + 1) if config.gradual else [len(config.unfreeze)]
    epochs = math.ceil(config.epochs / len(starts))
    steps = steps_per_epoch(images, recipe.feeding)
    settings = _finetune_settings(recipe.optimisation, config)
    return [
        (
            Phase(
                f"finetune {number + 1}" if len(starts) > 1 else "finetune",
                settings,
                epochs,
                steps,
                run.folder / "finetuned.weights.npz",
                run.checkpoint("finetune"),
                run.folder / "finetune.csv",
                number,
            ),
            layers_from(network, config.unfreeze[:count]),
        )
        for number, count in enumerate(starts)
    ]


def layers_from(network: keras.Model, names: Sequence[str]) -> list[layers.Layer]:
    """List the layers from the first that is named, up to the head.

    Parameters
    ----------
    names
        The beginnings of layer names; ``all`` means the whole network.

    Raises
    ------
    ConfigError
        If no layer has such a name.
    """
    base = base_layers(network)
    if ALL in names:
        return base
    for name in names:
        if not name or not any(layer.name.startswith(name) for layer in base):
            blocks = sorted({layer.name.split("_")[0] for layer in base if layer.weights})
            raise ConfigError(f"finetune.unfreeze: no layer begins with {name}: {blocks}")
    first = min(
        index
        for index, layer in enumerate(base)
        if any(layer.name.startswith(name) for name in names)
    )
    return base[first:]


def _set_trainable(network: keras.Model, learns: Sequence[layers.Layer], config: Finetune) -> None:
    """Make some layers trainable and freeze the others; the head is always trainable."""
    chosen = {id(layer) for layer in learns}
    for layer in base_layers(network):
        fixed = isinstance(layer, layers.BatchNormalization) and config.batch_norm == "frozen"
        layer.trainable = id(layer) in chosen and not fixed


def _finetune_settings(config: Optimisation, finetune: Finetune) -> Optimisation:
    return config.model_copy(
        update={
            "base": "trained",
            "learning_rate": finetune.learning_rate,
            "schedule": finetune.schedule,
            "warmup_epochs": finetune.warmup_epochs,
            "head_rate": finetune.head_rate,
            "depth_decay": finetune.depth_decay,
            "average": 0.0,
            "monitor": _MONITOR,
        }
    )


def _next_phase(found: Position, number: int) -> Position:
    """Start another phase; the best value of the earlier ones stays the one to beat."""
    return Position(number, best=found.best, best_epoch=found.best_epoch, rows=found.rows)


def _validate(task: TrainingTask, recipe: Recipe) -> float:
    """Compute the monitored value on validation, before fine-tuning."""
    compile_model(task.model, recipe, keras.optimizers.Adam(), cross_entropy(recipe))
    logs = task.model.evaluate(task.validation, return_dict=True, verbose=0)
    refuse_not_finite(logs, recipe.optimisation, "finetune: before the first epoch")
    return monitored_value(logs, _MONITOR)
