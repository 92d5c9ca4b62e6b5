"""Temperature scaling and operating points, both chosen on the validation split."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from pacs_ai.model.predict import activate
from pacs_ai.prediction_sets import PredictionSets
from pacs_ai.statistics.metrics import Floats, Truths
from pacs_ai.statistics.operating_point import choose_threshold
from training.recipe.evaluation import Evaluation

_LOW, _HIGH = 0.05, 20.0
_STEPS = 60


@dataclass(frozen=True, slots=True)
class Calibration:
    """The ``temperature``, a threshold on the probability of each class, and prediction sets.

    The first two are rounded to six digits, as in the manifest of the bundle, so that the node
    serves exactly what was evaluated. ``sets`` is None if validation held too few cases for them.
    """

    temperature: float
    thresholds: tuple[float, ...]
    sets: PredictionSets | None = None

    def to_dict(self) -> dict[str, object]:
        """Return values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read the values of `to_dict`; those of earlier versions have no prediction sets."""
        sets = values.get("sets")
        return cls(
            temperature=float(values["temperature"]),
            thresholds=tuple(float(each) for each in values["thresholds"]),
            sets=None if sets is None else PredictionSets.from_dict(sets),
        )


def log_loss(logits: Floats, truth: Truths, activation: str, temperature: float) -> Floats:
    """Compute the negative log-likelihood of each case.

    Parameters
    ----------
    logits
        Shape (n, classes).
    truth
        Shape (n, classes).
    activation
        ``softmax`` or ``sigmoid``; for ``sigmoid`` the mean over the classes.
    temperature
        Divides the logits.

    Returns
    -------
    Floats
        Shape (n,), in nats.
    """
    z = logits.astype(np.float64) / temperature
    if activation == "softmax":
        z = z - z.max(axis=1, keepdims=True)
        chosen: Floats = (z * truth).sum(axis=1) / truth.sum(axis=1)
        return np.asarray(np.log(np.exp(z).sum(axis=1)) - chosen)
    # log(1 + e^z) - y z, without overflow
    return np.asarray((np.maximum(z, 0) - z * truth + np.log1p(np.exp(-np.abs(z)))).mean(axis=1))


def fit_temperature(logits: Floats, truth: Truths, activation: str) -> float:
    """Find the temperature that maximises the likelihood of the validation split.

    Returns
    -------
    float
        In [0.05, 20], by golden section: the loss has one minimum in 1 / temperature.

    Notes
    -----
    Guo et al., On calibration of modern neural networks, 2017.
    """

    def loss(log_temperature: float) -> float:
        return float(log_loss(logits, truth, activation, float(np.exp(log_temperature))).mean())

    return _rounded(float(np.exp(_golden_section(loss, np.log(_LOW), np.log(_HIGH)))))


def _golden_section(loss: Callable[[float], float], low: float, high: float) -> float:
    ratio = (np.sqrt(5) - 1) / 2
    for _ in range(_STEPS):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if loss(left) < loss(right):
            high = right
        else:
            low = left
    return float((low + high) / 2)


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def choose_operating_points(
    logits: Floats,
    truth: Truths,
    activation: str,
    positive: Sequence[bool],
    config: Evaluation,
    to_studies: Callable[[float], tuple[Floats, Truths]] | None = None,
) -> Calibration:
    """Choose temperature and thresholds on the validation split.

    Parameters
    ----------
    logits
        Logits of the validation images, shape (n, classes).
    truth
        Shape (n, classes).
    activation
        ``softmax`` or ``sigmoid``.
    positive
        Which classes are findings.
    config
        The section ``[evaluation]`` of the recipe.
    to_studies
        Gives the probabilities of studies at a temperature, with their truth: the thresholds apply
        to studies, because the node reports studies. None: each image is a case.

    Returns
    -------
    Calibration
        For two softmax classes of which one is positive, the two thresholds add up to 1, so that
        the two decisions never contradict each other.
    """
    temperature = fit_temperature(logits, truth, activation) if config.calibrate else 1.0
    if to_studies is not None:
        probabilities, truth = to_studies(temperature)
    else:
        probabilities = activate(logits.astype(np.float32), activation, temperature)
    thresholds = [
        choose_threshold(probabilities[:, k], truth[:, k], config) for k in range(len(positive))
    ]
    if activation == "softmax" and len(positive) == 2 and sum(positive) == 1:  # noqa: PLR2004
        finding = list(positive).index(True)
        thresholds[1 - finding] = _rounded(1 - thresholds[finding])
    return Calibration(temperature, tuple(thresholds))
