"""The progress bar of an epoch."""

from typing import Self

import keras
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from training.learn.checkpointing import Checkpointing, Phase
from training.run.run import Run


class ProgressBar(keras.callbacks.Callback):  # type: ignore[misc]
    """Shows the progress of an epoch on standard error, if that is a terminal.

    Parameters
    ----------
    run
        Has the console.
    phase, checkpointing
        The length of an epoch, and the current position in it.
    """

    def __init__(self, run: Run, phase: Phase, checkpointing: Checkpointing) -> None:
        super().__init__()
        self._phase, self._checkpointing = phase, checkpointing
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
        """Do nothing yet: the first epoch starts the bar."""
        return self

    def __exit__(self, *_: object) -> None:
        """Restore the terminal, also after an error."""
        self._bar.stop()

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        """Reset the bar."""
        self._bar.start()
        self._bar.reset(
            self._task,
            description=f"{self._phase.name} {epoch + 1}/{self._phase.epochs}",
            completed=self._checkpointing.position.step,
        )

    def on_train_batch_end(self, _batch: int, logs: dict[str, float] | None = None) -> None:
        """Advance by one batch; read the loss only if somebody sees it, as reading costs time."""
        if not self._bar.disable:
            self._bar.update(self._task, advance=1, loss=float((logs or {})["loss"]))

    def on_epoch_end(self, _epoch: int, logs: object = None) -> None:
        """Remove the bar, before the log line of the epoch is printed."""
        self._bar.stop()
