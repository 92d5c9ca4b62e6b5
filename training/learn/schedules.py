"""Learning rate schedules."""

import math

import keras
import numpy as np
from keras import ops

_END_OF_EXPONENTIAL = 0.01


@keras.saving.register_keras_serializable("pacs_ai")
class Schedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A learning rate that rises to its peak during warm-up and then falls.

    Parameters
    ----------
    peak
        The highest rate.
    warmup
        Steps of warm-up: it rises linearly from a tenth of the peak.
    steps
        Steps of the whole training.
    shape
        ``constant`` stays at the peak; ``cosine`` falls to 0 along half a cosine (Loshchilov and
        Hutter, 2017); ``exponential`` falls by the same factor each step, to 1 % of the peak.
    """

    def __init__(self, peak: float, warmup: int, steps: int, shape: str) -> None:
        self.peak, self.warmup, self.steps, self.shape = peak, warmup, steps, shape

    def __call__(self, step: keras.KerasTensor) -> keras.KerasTensor:
        """Return the rate of one step."""
        step = ops.cast(step, "float32")
        climbing = 0.1 + 0.9 * step / max(1, self.warmup)
        done = ops.clip((step - self.warmup) / max(1, self.steps - self.warmup), 0.0, 1.0)
        if self.shape == "cosine":
            falling = 0.5 * (1.0 + ops.cos(math.pi * done))
        elif self.shape == "exponential":
            falling = ops.exp(math.log(_END_OF_EXPONENTIAL) * done)
        else:
            falling = ops.ones_like(done)
        return self.peak * ops.where(step < self.warmup, climbing, falling)

    def get_config(self) -> dict[str, object]:
        """Return the parameters of the schedule."""
        return {
            "peak": self.peak,
            "warmup": self.warmup,
            "steps": self.steps,
            "shape": self.shape,
        }


def learning_rate_of(optimizer: keras.optimizers.Optimizer) -> float:
    """Return the learning rate of the next step."""
    return float(np.asarray(optimizer.learning_rate))
