"""Train further: less and less of the network frozen, with small steps, and never for the worse."""

import math
import shutil
from collections.abc import Mapping, Sequence

import keras
from keras import layers

from pacs_ai.errors import ConfigError
from training.data.order import steps_per_epoch
from training.data.samples import Dataset
from training.learn.checkpoint import Position, load_position
from training.learn.checkpointing import Phase, figure_of
from training.learn.curves import draw_curves
from training.learn.distribute import devices
from training.learn.environment import environment
from training.learn.loop import learn
from training.learn.schedules import build_optimizer
from training.learn.tensorboard import Boards
from training.learn.train import hold_splits, load_network
from training.learn.training_task import Lesson, compile_learner, image_lesson
from training.networks import base_layers
from training.networks.weights import load_weights
from training.recipe.learning import Finetune, Optimisation
from training.recipe.recipe import Recipe
from training.run.disk import write_whole
from training.run.run import Run

ALL = "all"


def finetune(run: Run, recipe: Recipe, dataset: Dataset) -> Mapping[str, object]:
    """Fine-tune the network of a run, or go on with that.

    Parameters
    ----------
    run
        Has a trained network, which is kept as ``trained.weights.npz``; ``best.weights.npz``
        becomes the fine-tuned one if that is better on validation.
    recipe
        What to do; without ``finetune`` in it nothing is done.
    dataset
        Who learns, and who judges.

    Returns
    -------
    Mapping
        What came of it: ``kept`` is ``fine-tuned`` or ``start``.

    Raises
    ------
    ConfigError
        If no layer has a name that ``finetune.unfreeze`` gives.
    """
    if recipe.finetune is None:
        return {"kept": "start", "why": "the recipe has no [finetune]"}
    trained, tuned = run.folder / "trained.weights.npz", run.folder / "finetuned.weights.npz"
    if not trained.exists():
        write_whole(trained, run.best.read_bytes())
    shutil.copyfile(trained, run.best)
    stores = hold_splits(run, recipe, dataset)
    with environment(recipe), devices(recipe.optimisation.devices):
        network = load_network(run)
        lesson = image_lesson(recipe, network, *stores)
        before = _validate(lesson, recipe)
        phases = plan(run, recipe, network, len(dataset.train))
        found = load_position(run.checkpoint("finetune")) or Position(best=before)
        for phase, learns in phases[found.phase :]:
            if found.phase < phase.number:
                found = _next(found, phase.number)
            load_weights(network, tuned if tuned.exists() else trained)
            _thaw(network, learns, recipe.finetune)
            lesson = image_lesson(recipe, network, *stores)
            optimizer = build_optimizer(phase.config, phase.steps, phase.epochs)
            compile_learner(lesson.learner, recipe, optimizer)
            boards = [Boards(run.tensorboard / phase.name)]
            found = learn(run, network, lesson, phase, start=found, extra=boards)
    draw_curves(found.rows, run.plots / "finetune.png")
    better = tuned.exists() and found.best is not None and found.best < before
    if better:
        write_whole(run.best, tuned.read_bytes())
    else:
        run.log("fine-tuning found nothing better on validation: the network it began with stays")
    kept = "fine-tuned" if better else "start"
    return {"kept": kept, "monitor": recipe.optimisation.monitor, "start": before} | {
        "best": found.best,
        "epochs": len(found.rows),
    }


def plan(
    run: Run, recipe: Recipe, network: keras.Model, images: int
) -> list[tuple[Phase, Sequence[layers.Layer]]]:
    """List the phases, and the layers that learn in each.

    Raises
    ------
    ConfigError
        If no layer has a name that ``finetune.unfreeze`` gives.
    """
    config = recipe.finetune
    assert config is not None  # noqa: S101 - `finetune` looked
    starts = range(1, len(config.unfreeze) + 1) if config.gradual else [len(config.unfreeze)]
    epochs = math.ceil(config.epochs / len(starts))
    steps = steps_per_epoch(images, recipe.feeding)
    slow = _slowly(recipe.optimisation, config)
    return [
        (
            Phase(
                f"finetune {number + 1}" if len(starts) > 1 else "finetune",
                slow,
                epochs,
                steps,
                run.folder / "finetuned.weights.npz",
                run.checkpoint("finetune"),
                run.folder / "finetune.csv",
                number,
            ),
            from_names(network, config.unfreeze[:count]),
        )
        for number, count in enumerate(starts)
    ]


def from_names(network: keras.Model, names: Sequence[str]) -> list[layers.Layer]:
    """List the layers from the shallowest that is named, up to the head.

    Parameters
    ----------
    names
        Starts of names of layers; ``all`` means the whole network.

    Raises
    ------
    ConfigError
        If no layer is named so.
    """
    base = base_layers(network)
    if ALL in names:
        return base
    for name in names:
        if not any(layer.name.startswith(name) for layer in base):
            blocks = sorted({layer.name.split("_")[0] for layer in base if layer.weights})
            raise ConfigError(f"finetune.unfreeze: no layer begins with {name}: {blocks}")
    first = min(
        index
        for index, layer in enumerate(base)
        if any(layer.name.startswith(name) for name in names)
    )
    return base[first:]


def _thaw(network: keras.Model, learns: Sequence[layers.Layer], config: Finetune) -> None:
    """Let some layers learn and no others; the head always learns."""
    chosen = {id(layer) for layer in learns}
    for layer in base_layers(network):
        still = isinstance(layer, layers.BatchNormalization) and config.batch_norm == "frozen"
        layer.trainable = id(layer) in chosen and not still


def _slowly(config: Optimisation, finetune: Finetune) -> Optimisation:
    return config.model_copy(
        update={
            "base": "trained",
            "learning_rate": finetune.learning_rate,
            "schedule": "constant",
            "warmup_epochs": 0.0,
            "average": 0.0,
        }
    )


def _next(found: Position, number: int) -> Position:
    """Begin another phase: what was best stays to be beaten."""
    return Position(number, best=found.best, best_epoch=found.best_epoch, rows=found.rows)


def _validate(lesson: Lesson, recipe: Recipe) -> float:
    """Measure the figure that chooses on validation, before anything is learned."""
    compile_learner(lesson.learner, recipe, keras.optimizers.Adam())
    logs = lesson.learner.evaluate(lesson.validation, return_dict=True, verbose=0)
    return figure_of(logs, recipe.optimisation.monitor)
