"""Epoch after epoch: show, validate, keep the best, stop in time, and never lose the way.

Keras' own `fit` does the steps, on any backend and strategy. What it lacks stands in `keeper`: a
state that survives the end of the process at any batch.
"""

from collections.abc import Sequence

import keras

from training.learn.checkpoint import Position, load_position
from training.learn.checkpointing import Keeper, Phase
from training.learn.distribute import chosen_fit
from training.learn.progress import Shown
from training.learn.training_task import Lesson
from training.run.run import Run


def learn(
    run: Run,
    network: keras.Model,
    lesson: Lesson,
    phase: Phase,
    *,
    start: Position | None = None,
    extra: Sequence[keras.callbacks.Callback] = (),
) -> Position:
    """Train for one phase, from its checkpoint if there is one.

    Parameters
    ----------
    run
        Whose progress is shown.
    network
        Whose weights are kept.
    lesson
        Who learns from what; compiled.
    phase
        How long, and where the outcome goes.
    start
        What earlier phases found.
    extra
        More callbacks of Keras.

    Returns
    -------
    Position
        Where it ended; its best network stands in ``phase.best``, unless none was better than
        ``start``.

    Raises
    ------
    KeyboardInterrupt
        If a person asked for it; the state was saved before.
    """
    found = load_position(phase.checkpoint)
    begun = found is not None and found.phase == phase.number
    position = found if begun and found is not None else (start or Position(phase=phase.number))
    keeper = Keeper(run, network, phase, position, restore=begun)
    if begun:
        _build(lesson)
    fit = chosen_fit(phase.config.devices)
    shown = Shown(run, phase, keeper)
    with keeper.listening(), shown:
        while keeper.position.epoch < phase.epochs and not keeper.enough:
            at = keeper.position
            # An epoch that was begun is finished by itself: it has fewer batches than the others.
            fit(
                lesson.learner,
                lesson.shown(at.epoch * phase.steps + at.step),
                steps_per_epoch=phase.steps - at.step,
                initial_epoch=at.epoch,
                epochs=at.epoch + 1 if at.step else phase.epochs,
                validation_data=lesson.validation,
                callbacks=[keeper, *_averaging(phase), shown, *extra],
                shuffle=False,
                verbose=0,
            )
            keeper.restore = True  # with averaged weights, `fit` ends by putting these in place
    return keeper.position


def _build(lesson: Lesson) -> None:
    """Let optimiser and metrics have their variables, so that their state can be restored."""
    lesson.learner.optimizer.build(lesson.learner.trainable_variables)
    lesson.learner.evaluate(lesson.validation.take(1), verbose=0)


def _averaging(phase: Phase) -> list[keras.callbacks.Callback]:
    """Validate with averaged weights, if there are any; the keeper, before it, keeps these."""
    averaged = phase.config.average > 0
    return [keras.callbacks.SwapEMAWeights(swap_on_epoch=False)] if averaged else []
