"""Probabilities that mean what they say, and a threshold: both chosen on validation alone."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np

from pacs_ai.model.predict import activate
from training.recipe.judging import Evaluation
from training.statistics.metrics import Floats, Truths, bin_of

_LOW, _HIGH = 0.05, 20.0
_STEPS = 60
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Calibration:
    """What validation decided: ``temperature``, and a threshold of each class's probability.

    Both are rounded to six digits, as the bundle's manifest holds them: what was judged is what is
    served.
    """

    temperature: float
    thresholds: tuple[float, ...]

    def to_dict(self) -> dict[str, object]:
        """Give plain values, as for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, object]) -> Self:
        """Undo `to_dict`."""
        return cls(
            temperature=float(str(values["temperature"])),
            thresholds=tuple(float(str(t)) for t in np.asarray(values["thresholds"])),
        )


def log_loss(logits: Floats, truth: Truths, activation: str, temperature: float) -> Floats:
    """Negative log-likelihood of each case.

    Parameters
    ----------
    logits
        Shape (n, classes).
    truth
        Shape (n, classes).
    activation
        ``softmax``, or ``sigmoid``: then the mean over classes.
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
    """Find the temperature under which validation is most likely.

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


def choose_threshold(scores: Floats, truth: Truths, config: Evaluation) -> float:
    """Choose an operating point.

    Parameters
    ----------
    scores
        Probabilities, shape (n,).
    truth
        Shape (n,).
    config
        By which rule; see `Evaluation`.

    Returns
    -------
    float
        In [0, 1], half way between two scores where it can be; 0.5 if there is no choice to make
        (one class only, or one score only). Of equally good ones the middle.
    """
    values = np.unique(scores)
    if values.size < 2 or truth.all() or not truth.any():  # noqa: PLR2004 - two scores, one cut
        return 0.5
    cuts = (values[1:] + values[:-1]) / 2
    sensitivity = 1 - np.searchsorted(np.sort(scores[truth]), cuts) / truth.sum()
    specificity = np.searchsorted(np.sort(scores[~truth]), cuts) / (~truth).sum()
    worth = sensitivity + specificity
    if config.target is not None:
        kept = sensitivity if config.operating_point == "sensitivity" else specificity
        other = specificity if config.operating_point == "sensitivity" else sensitivity
        # What falls short of the target is worth less than anything that reaches it.
        worth = np.where(kept >= config.target - _TINY, 1 + other, kept)
    best = np.flatnonzero(worth >= worth.max() - _TINY)
    return _between(values, int(best[best.size // 2]))


def _between(values: Floats, at: int) -> float:
    """Give the shortest decimal that separates two neighbouring scores."""
    low, high = float(values[at]), float(values[at + 1])
    for digits in range(6, 17):
        cut = float(f"{(low + high) / 2:.{digits}g}")
        if low < cut <= high:
            return cut
    return high


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def choose_operating_points(
    logits: Floats,
    truth: Truths,
    activation: str,
    positive: Sequence[bool],
    config: Evaluation,
    together: Callable[[Floats], tuple[Floats, Truths]] | None = None,
) -> Calibration:
    """Choose temperature and thresholds on the validation split.

    Parameters
    ----------
    logits
        Of the validation images, shape (n, classes).
    truth
        Shape (n, classes).
    activation
        ``softmax`` or ``sigmoid``.
    positive
        Which classes are findings.
    config
        The recipe's wishes.
    together
        Puts the probabilities of images together to those of studies, with their truth: the
        threshold is that of a study, since it is studies that are reported. None: each image
        counts by itself.

    Returns
    -------
    Calibration
        For two softmax classes of which one is positive, the other's threshold is the rest to 1,
        so that the two decisions never contradict each other.
    """
    temperature = fit_temperature(logits, truth, activation) if config.calibrate else 1.0
    chances = activate(logits.astype(np.float32), activation, temperature)
    if together is not None:
        chances, truth = together(chances)
    thresholds = [
        choose_threshold(chances[:, k], truth[:, k], config) for k in range(len(positive))
    ]
    if activation == "softmax" and len(positive) == 2 and sum(positive) == 1:  # noqa: PLR2004
        finding = list(positive).index(True)
        thresholds[1 - finding] = _rounded(1 - thresholds[finding])
    return Calibration(temperature, tuple(thresholds))


def reliability(chances: Floats, truth: Truths, bins: int) -> list[tuple[float, float, int]]:
    """Points of a reliability diagram: mean probability, share that came true, cases; of each bin.

    Empty bins are left out.
    """
    where = bin_of(chances, bins)
    return [
        (
            float(chances[where == b].mean()),
            float(truth[where == b].mean()),
            int((where == b).sum()),
        )
        for b in range(bins)
        if (where == b).any()
    ]
