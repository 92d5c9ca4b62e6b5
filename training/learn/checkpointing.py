"""The callback that saves the best network, the history and the whole state of a training."""

import contextlib
import csv
import io
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import keras

from pacs_ai.files import atomic_write
from training.learn.checkpoint import Position, load_state, save_state
from training.learn.finite import refuse_not_finite
from training.learn.losses import CROSS_ENTROPY
from training.learn.optimizer import learning_rates
from training.learn.schedules import learning_rate_of
from training.networks.weights import save_weights
from training.recipe.learning import Optimisation
from training.run.run import Run

_BETTER = 1e-6


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a training with the same trainable layers and the same optimiser.

    ``name`` appears in log lines, ``number`` counts the phases of a step from 0, ``steps`` is the
    number of batches in an epoch. ``best``, ``checkpoint`` and ``history`` are the files for the
    best weights, the state, and one row for every epoch.
    """

    name: str
    config: Optimisation
    epochs: int
    steps: int
    best: Path
    checkpoint: Path
    history: Path
    number: int = 0


class Checkpointing(keras.callbacks.Callback):  # type: ignore[misc]
    """Saves the best network, the history and the whole state; stops training early.

    Parameters
    ----------
    run
        Gets the log lines.
    network
        Its weights are saved.
    phase
        The length of the phase and the files to write.
    position
        Where training stands; changed during training.
    restore
        Whether the state is read from the checkpoint before the next epoch.
    """

    def __init__(
        self, run: Run, network: keras.Model, phase: Phase, position: Position, *, restore: bool
    ) -> None:
        super().__init__()
        self.position, self.restore = position, restore
        self._run, self._network, self._phase = run, network, phase
        self._saved = time.monotonic()
        self._began = self._saved
        self._stop_requested = False

    @property
    def out_of_patience(self) -> bool:
        """Whether there was no better epoch in the last ``patience`` epochs."""
        return self.position.waited >= self._phase.config.patience

    @contextlib.contextmanager
    def handling_interrupt(self) -> Iterator[None]:
        """Stop after the current batch on Ctrl-C; a second Ctrl-C stops at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self._interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self._stop_requested:
            raise KeyboardInterrupt
        self._stop_requested = True

    def on_epoch_begin(self, _epoch: int, logs: object = None) -> None:
        """Restore the checkpoint, with the running means of its epoch."""
        self._began = time.monotonic()
        if self.restore:
            load_state(self.model, self._phase.checkpoint)
            if self.position.step == 0:  # the previous epoch is logged already
                self.model.reset_metrics()
            self.restore = False

    def on_train_batch_end(self, _batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Count the batch, and save the state every ``checkpoint_seconds``."""
        self.position.step += 1
        if self.position.step == self._phase.steps:  # the epoch ends with validation, which saves
            return
        due = time.monotonic() - self._saved >= self._phase.config.checkpoint_seconds
        if self._stop_requested or due:
            self._check(logs)
            self._save()
        self._stop_if_requested()

    def on_test_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Save the network if it is the best on validation so far."""
        if self.restore:  # nothing was trained since the last validation
            return
        self._check(logs)
        figure = monitored_value(logs or {}, self._phase.config.monitor)
        at = self.position
        if at.best is None or figure < at.best - _BETTER:
            at.best, at.best_epoch, at.waited, at.flat = figure, at.epoch, 0, 0
            save_weights(self._network, self._phase.best)
        else:
            at.waited += 1
            at.flat += 1

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write a row of history, reduce the learning rate on a plateau, save the state."""
        self._check(logs)
        at, optimizer = self.position, self.model.optimizer
        row: dict[str, float] = {"phase": at.phase, "epoch": epoch + 1}
        row |= {key: round(float(value), 6) for key, value in (logs or {}).items()}
        row |= learning_rates(optimizer)
        row["seconds"] = round(time.monotonic() - self._began, 1)
        at.rows.append(row)
        self._reduce_on_plateau()
        at.epoch, at.step = epoch + 1, 0
        atomic_write(self._phase.history, as_csv(at.rows))
        self._save()
        self._run.log(epoch_summary(self._phase, row, best=at.best_epoch == epoch))
        self.model.stop_training = self.out_of_patience
        self._stop_if_requested()

    def _check(self, logs: Mapping[str, float] | None) -> None:
        config, at = self._phase.config, self.position
        refuse_not_finite(logs or {}, config, f"{self._phase.name}: epoch {at.epoch + 1}")

    def _stop_if_requested(self) -> None:
        if self._stop_requested:
            self._run.log(f"stopped in epoch {self.position.epoch + 1}: --resume goes on from here")
            raise KeyboardInterrupt

    def _reduce_on_plateau(self) -> None:
        config, at = self._phase.config, self.position
        if config.schedule == "plateau" and at.flat >= config.plateau_patience:
            optimizer = self.model.optimizer
            optimizer.learning_rate.assign(learning_rate_of(optimizer) * config.factor)
            at.flat = 0

    def _save(self) -> None:
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
        save_state(self.model, self.position, self._phase.checkpoint)
        self._saved = time.monotonic()


def monitored_value(logs: Mapping[str, float], monitor: str) -> float:
    """Return the value that chooses the best epoch; lower is better (others change their sign)."""
    value = next(float(logs[key]) for key in (monitor, f"class_{monitor}") if key in logs)
    return value if monitor in ("loss", CROSS_ENTROPY) else -value


def as_csv(rows: list[dict[str, float]]) -> str:
    """Write rows as CSV."""
    content = io.StringIO()
    writer = csv.DictWriter(content, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return content.getvalue()


def epoch_summary(phase: Phase, row: Mapping[str, float], *, best: bool) -> str:
    """Describe an epoch in one log line."""
    shown = {
        key.replace("val_", "validation ").replace("_", " "): value
        for key, value in row.items()
        if key.removeprefix("val_").removeprefix("class_") in ("loss", "accuracy", "auc")
        and not key.endswith("class_loss")
    }
    figures = ", ".join(f"{key} {value:.4f}" for key, value in shown.items())
    mark = " (best so far)" if best else ""
    return f"{phase.name}: epoch {row['epoch']:.0f} of {phase.epochs}: {figures}{mark}"
