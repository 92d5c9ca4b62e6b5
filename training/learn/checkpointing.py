"""What is kept of a training while it runs: the best network, the history, the whole state."""

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

from training.learn.checkpoint import Position, load_state, save_state
from training.learn.schedules import rate_of
from training.networks.weights import save_weights
from training.recipe.learning import Optimisation
from training.run.disk import write_whole
from training.run.run import Run

_BETTER = 1e-6


@dataclass(frozen=True, slots=True)
class Phase:
    """One stretch of training with the same layers and the same optimiser.

    ``name`` is what the person is told, ``number`` counts phases of a step from 0, ``steps`` is how
    many batches make an epoch. ``best``, ``checkpoint`` and ``history`` are where the best network,
    the state and a row for every epoch go.
    """

    name: str
    config: Optimisation
    epochs: int
    steps: int
    best: Path
    checkpoint: Path
    history: Path
    number: int = 0


class Keeper(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps the best network, the history and the whole state; stops when it is time.

    Parameters
    ----------
    run
        Where progress is told.
    network
        Whose weights are kept.
    phase
        How long, and where everything goes.
    position
        Where training stands; changed as it goes on.
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
        self._asked = False

    @property
    def enough(self) -> bool:
        """Whether there was no better epoch for too long."""
        return self.position.waited >= self._phase.config.patience

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take Ctrl-C as a wish to stop after the batch that runs; a second one stops at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self._ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True

    def on_epoch_begin(self, _epoch: int, logs: object = None) -> None:
        """Go on from the checkpoint, running means of the epoch included."""
        self._began = time.monotonic()
        if self.restore:
            load_state(self.model, self._phase.checkpoint)
            if self.position.step == 0:  # the figures of the epoch before are told already
                self.model.reset_metrics()
            self.restore = False

    def on_train_batch_end(self, _batch: int, logs: object = None) -> None:
        """Count, and save now and then."""
        self.position.step += 1
        if self.position.step == self._phase.steps:  # validation belongs to the epoch
            return
        if self._phase.config.devices == "multi-worker":  # they save together, after an epoch
            return
        due = time.monotonic() - self._saved >= self._phase.config.checkpoint_seconds
        if self._asked or due:
            self._save()
        self._stop_if_asked()

    def on_test_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Keep the network if none was better on validation."""
        if self.restore:  # nothing was trained since the last validation
            return
        figure = figure_of(logs or {}, self._phase.config.monitor)
        at = self.position
        if at.best is None or figure < at.best - _BETTER:
            at.best, at.best_epoch, at.waited, at.flat = figure, at.epoch, 0, 0
            save_weights(self._network, self._phase.best)
        else:
            at.waited += 1
            at.flat += 1

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write the epoch down, move the learning rate if it is flat, save."""
        at, optimizer = self.position, self.model.optimizer
        row: dict[str, float] = {"phase": at.phase, "epoch": epoch + 1}
        row |= {key: round(float(value), 6) for key, value in (logs or {}).items()}
        row["learning_rate"] = rate_of(optimizer)
        row["seconds"] = round(time.monotonic() - self._began, 1)
        at.rows.append(row)
        self._lower()
        at.epoch, at.step = epoch + 1, 0
        write_whole(self._phase.history, as_csv(at.rows))
        self._save()
        self._run.log(told(self._phase, row, best=at.best_epoch == epoch))
        self.model.stop_training = self.enough
        self._stop_if_asked()

    def _stop_if_asked(self) -> None:
        if self._asked:
            self._run.log(f"stopped in epoch {self.position.epoch + 1}: --resume goes on from here")
            raise KeyboardInterrupt

    def _lower(self) -> None:
        config, at = self._phase.config, self.position
        if config.schedule == "plateau" and at.flat >= config.plateau_patience:
            optimizer = self.model.optimizer
            optimizer.learning_rate.assign(rate_of(optimizer) * config.factor)
            at.flat = 0

    def _save(self) -> None:
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
        save_state(self.model, self.position, self._phase.checkpoint)
        self._saved = time.monotonic()


def figure_of(logs: Mapping[str, float], monitor: str) -> float:
    """Return the figure that chooses the best epoch, made so that less is better."""
    value = next(float(logs[key]) for key in (monitor, f"class_{monitor}") if key in logs)
    return value if monitor == "loss" else -value


def as_csv(rows: list[dict[str, float]]) -> str:
    """Write rows as CSV."""
    content = io.StringIO()
    writer = csv.DictWriter(content, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return content.getvalue()


def told(phase: Phase, row: Mapping[str, float], *, best: bool) -> str:
    """Say in one line what an epoch brought."""
    shown = {
        key.replace("val_", "validation ").replace("_", " "): value
        for key, value in row.items()
        if key in ("loss", "accuracy", "class_accuracy", "val_loss", "val_accuracy")
        or key == "val_class_accuracy"
    }
    figures = ", ".join(f"{key} {value:.4f}" for key, value in shown.items())
    mark = " (best so far)" if best else ""
    return f"{phase.name}: epoch {row['epoch']:.0f} of {phase.epochs}: {figures}{mark}"
