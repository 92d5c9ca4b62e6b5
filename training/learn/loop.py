"""The training loop: epochs of training and validation, early stopping, and resuming.

Keras' own `fit` does the steps, on any backend and strategy. The callback in `checkpointing` adds
a state that survives the end of the process at any batch.
"""

from collections.abc import Sequence

import keras

from training.learn.batch_norm import BatchNormStatistics
from training.learn.checkpoint import Position, load_position
from training.learn.checkpointing import Checkpointing, Phase
from training.learn.progress import ProgressBar
from training.learn.training_task import TrainingTask
from training.run.run import Run


def learn(
    run: Run,
    network: keras.Model,
    task: TrainingTask,
    phase: Phase,
    *,
    start: Position | None = None,
    extra: Sequence[keras.callbacks.Callback] = (),
) -> Position:
    """Train for one phase, from its checkpoint if there is one.

    Parameters
    ----------
    run
        Gets the log lines; its console shows progress.
    network
        Its best weights are saved.
    task
        The compiled model and its data.
    phase
        The number of epochs and steps, and the files to write.
    start
        The position at the end of earlier phases.
    extra
        More Keras callbacks.

    Returns
    -------
    Position
        Where training ended. The best weights are in ``phase.best``, unless no epoch was better
        than ``start``.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C; the state was saved before.
    """
    found = load_position(phase.checkpoint)
    begun = found is not None and found.phase == phase.number
    position = found if begun and found is not None else (start or Position(phase=phase.number))
    checkpointing = Checkpointing(run, network, phase, position, restore=begun)
    _build(task)
    bar = ProgressBar(run, phase, checkpointing)
    statistics = BatchNormStatistics(network, task, phase.steps, run.recipe.feeding.batch)
    with checkpointing.handling_interrupt(), bar:
        while checkpointing.position.epoch < phase.epochs and not checkpointing.out_of_patience:
            at = checkpointing.position
            # An interrupted epoch is finished alone, because it has fewer batches than the others.
            task.model.fit(
                task.batches(at.epoch * phase.steps + at.step),
                steps_per_epoch=phase.steps - at.step,
                initial_epoch=at.epoch,
                epochs=at.epoch + 1 if at.step else phase.epochs,
                validation_data=task.validation,
                callbacks=[checkpointing, *_averaging(phase), statistics, bar, *extra],
                shuffle=False,
                verbose=0,
            )
            # With weight averaging, `fit` ends by replacing the weights with their averages.
            checkpointing.restore = True
    return checkpointing.position


def _build(task: TrainingTask) -> None:
    """Create the variables of optimiser and metrics.

    Their state can be restored then; and TensorFlow traces the step of training a second time if
    variables are created in the first, which takes seconds.
    """
    task.model.optimizer.build(task.model.trainable_variables)
    task.model.evaluate(task.validation.take(1), verbose=0)


def _averaging(phase: Phase) -> list[keras.callbacks.Callback]:
    """Validate with averaged weights, if the recipe has them.

    It comes after the checkpointing callback, which therefore saves the averaged weights.
    """
    averaged = phase.config.average > 0
    return [keras.callbacks.SwapEMAWeights(swap_on_epoch=False)] if averaged else []
