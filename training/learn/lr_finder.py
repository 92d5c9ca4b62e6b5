"""Find a learning rate: raise it step by step, and choose where the loss falls fastest."""

from collections.abc import Mapping

import keras
import numpy as np
from matplotlib.figure import Figure

from pacs_ai.files import atomic_write
from training.data.samples import Dataset
from training.learn.environment import environment
from training.learn.optimizer import adam
from training.learn.schedules import learning_rate_of
from training.learn.train import choose_task, load_splits
from training.learn.training_task import compile_model
from training.networks import build_network
from training.recipe.recipe import Recipe
from training.report.figure import save_png
from training.run.run import Run

LOWEST, HIGHEST, STEPS = 1e-7, 1.0, 120
_DIVERGED = 4.0
_SMOOTH = 0.9
_EDGE = 5


class LearningRateSweep(keras.callbacks.Callback):  # type: ignore[misc]
    """Raises the learning rate after every batch and records the loss, until it diverges.

    ``rates`` and ``losses`` are the recorded values; the losses are smoothed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rates: list[float] = []
        self.losses: list[float] = []
        self._mean = self._before = 0.0

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Record the loss of a batch; Keras gives the mean of the epoch so far."""
        total = float((logs or {})["loss"]) * (batch + 1)
        loss, self._before = total - self._before, total
        self._mean = _SMOOTH * self._mean + (1 - _SMOOTH) * loss
        smoothed = self._mean / (1 - _SMOOTH ** (batch + 1))
        optimizer = self.model.optimizer
        if not np.isfinite(smoothed):
            self.model.stop_training = True
            return
        self.rates.append(learning_rate_of(optimizer))
        self.losses.append(smoothed)
        if smoothed > _DIVERGED * min(self.losses):
            self.model.stop_training = True
        optimizer.learning_rate.assign(LOWEST * (HIGHEST / LOWEST) ** ((batch + 1) / (STEPS - 1)))


def find_learning_rate(run: Run, recipe: Recipe, dataset: Dataset) -> dict[str, object]:
    """Try learning rates from 1e-7 to 1 on new weights, which are discarded afterwards.

    Parameters
    ----------
    run
        Gets ``plots/learning_rate.png`` and ``learning_rate.csv``.
    recipe, dataset
        The recipe and the data of the training.

    Returns
    -------
    dict
        ``suggested``: the rate where the smoothed loss falls fastest; ``seen``: the number of
        rates that were tried.

    Notes
    -----
    Smith, Cyclical learning rates for training neural networks, 2017.
    """
    sweep = LearningRateSweep()
    with environment(recipe):
        network = build_network(recipe.input, recipe.network, len(recipe.classes))
        task = choose_task(run, recipe, network, *load_splits(run, recipe, dataset))
        compile_model(task.model, recipe, adam(recipe.optimisation, network, LOWEST, 0.0))
        task.model.fit(
            task.batches(0), steps_per_epoch=STEPS, callbacks=[sweep], shuffle=False, verbose=0
        )
    rates, losses = np.array(sweep.rates), np.array(sweep.losses)
    suggested = steepest(rates, losses)
    rows = "".join(f"{r:.6g},{x:.6g}\n" for r, x in zip(rates, losses, strict=True))
    atomic_write(run.folder / "learning_rate.csv", f"learning_rate,loss\n{rows}")
    _draw(run, rates, losses, suggested)
    return {"suggested": suggested, "seen": len(rates)}


def steepest(rates: np.ndarray, losses: np.ndarray) -> float:
    """Return the rate at which the loss falls fastest per factor of the rate."""
    end = max(_EDGE + 2, int(np.argmin(losses)) + 1)
    slope = np.gradient(losses[:end], np.log(rates[:end]))
    inner = slope[_EDGE:] if slope.size > _EDGE else slope
    return float(rates[:end][slope.size - inner.size + int(np.argmin(inner))])


def _draw(run: Run, rates: np.ndarray, losses: np.ndarray, suggested: float) -> None:
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(rates, losses)
    axes.axvline(suggested, color="tab:red", linestyle="--", label=f"suggested {suggested:.2g}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss, smoothed")
    axes.set_ylim(top=float(np.nanmin(losses)) * _DIVERGED)
    axes.legend(frameon=False)
    save_png(figure, run.plots / "learning_rate.png")
