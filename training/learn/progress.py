"""A bar for the person who waits."""

from typing import Self

import keras
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from training.learn.checkpointing import Keeper, Phase
from training.run.run import Run


class Shown(keras.callbacks.Callback):  # type: ignore[misc]
    """Shows how far an epoch is, on standard error.

    Parameters
    ----------
    run
        Whose console it is.
    phase, keeper
        How long an epoch is, and where training stands.
    """

    def __init__(self, run: Run, phase: Phase, keeper: Keeper) -> None:
        super().__init__()
        self._phase, self._keeper = phase, keeper
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.4f}"),
            TimeRemainingColumn(),
            console=run.console,
            transient=True,
            disable=not run.console.is_terminal,
        )
        self._task = self._bar.add_task(phase.name, total=phase.steps, loss=float("nan"))

    def __enter__(self) -> Self:
        """Do nothing yet: the bar comes with the first epoch."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was, whatever happened."""
        self._bar.stop()

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        """Begin the bar anew."""
        self._bar.start()
        self._bar.reset(
            self._task,
            description=f"{self._phase.name} {epoch + 1}/{self._phase.epochs}",
            completed=self._keeper.position.step,
        )

    def on_train_batch_end(self, _batch: int, logs: dict[str, float] | None = None) -> None:
        """Go on by a batch; Keras converts figures only where there is somebody to read them."""
        if not self._bar.disable:
            self._bar.update(self._task, advance=1, loss=float((logs or {})["loss"]))

    def on_epoch_end(self, _epoch: int, logs: object = None) -> None:
        """Make room for what is told of the epoch."""
        self._bar.stop()
