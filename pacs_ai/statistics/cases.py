"""Cases of a classification task: probabilities beside the truth, the input of all figures."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from pacs_ai.statistics.metrics import Floats, Truths

_TINY = 1e-15


@dataclass(frozen=True, slots=True)
class Question:
    """The classification task: class names, which classes are findings, and the activation.

    ``activation`` is ``softmax`` (classes exclude each other) or ``sigmoid``. ``aggregation`` says
    how image probabilities become a study probability; see `pacs_ai.model.aggregation`.
    """

    classes: tuple[str, ...]
    positive: tuple[bool, ...]
    activation: str
    aggregation: str

    @property
    def findings(self) -> list[int]:
        """Indices of the positive classes; all classes if none is positive."""
        found = [index for index, positive in enumerate(self.positive) if positive]
        return found or list(range(len(self.positive)))

    @property
    def binary(self) -> bool:
        """Whether the task is: one finding, present or absent."""
        softmax = self.activation == "softmax"
        return len(self.findings) == 1 and len(self.classes) == (2 if softmax else 1)

    @property
    def headline(self) -> list[int]:
        """Classes that the overall figures average: the finding if `binary`, else all."""
        return self.findings if self.binary else list(range(len(self.classes)))


@dataclass(frozen=True, slots=True)
class Cases:
    """Images or studies with calibrated probabilities: the input of all metrics.

    ``probabilities`` (float) and ``truth`` (bool) have shape (n, classes), ``loss`` has shape (n,).
    ``commonest`` (int, shape (n,)) is the class that most images of a study have, of its findings
    if it has any; None where each case has one class.
    """

    question: Question
    thresholds: tuple[float, ...]
    keys: tuple[str, ...]
    patients: tuple[str, ...]
    probabilities: Floats
    truth: Truths
    loss: Floats
    groups: dict[str, tuple[str, ...]]
    commonest: npt.NDArray[np.int64] | None = None

    @property
    def decisions(self) -> Truths:
        """Whether each probability reaches its threshold, shape (n, classes)."""
        return np.asarray(self.probabilities >= np.array(self.thresholds))

    @property
    def true_classes(self) -> npt.NDArray[np.int64]:
        """Index of the true class of each case, shape (n,), for softmax."""
        return self.truth.argmax(axis=1) if self.commonest is None else self.commonest

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """Index of the predicted class, shape (n,): by threshold if `binary`, else the largest."""
        if self.question.binary and self.question.activation == "softmax":
            finding = self.question.findings[0]
            return np.where(self.decisions[:, finding], finding, 1 - finding)
        return np.asarray(self.probabilities.argmax(axis=1))

    def pick(self, chosen: npt.NDArray[np.int64]) -> Self:
        """Select some cases by index."""
        return replace(
            self,
            keys=tuple(self.keys[i] for i in chosen),
            patients=tuple(self.patients[i] for i in chosen),
            probabilities=self.probabilities[chosen],
            truth=self.truth[chosen],
            loss=self.loss[chosen],
            commonest=None if self.commonest is None else self.commonest[chosen],
            groups={name: tuple(each[i] for i in chosen) for name, each in self.groups.items()},
        )


def exclusive_loss(probabilities: Floats, true: npt.NDArray[np.int64]) -> Floats:
    """Compute the log loss of classes that exclude each other.

    Parameters
    ----------
    probabilities
        Shape (n, classes), in [0, 1]; values whose sum is above 1 are divided by the sum.
    true
        Index of the true class, shape (n,).

    Returns
    -------
    Floats
        Shape (n,), in nats.
    """
    safe = np.clip(probabilities, _TINY, 1 - _TINY)
    chosen = safe[np.arange(true.size), true]
    whole = np.maximum(probabilities.sum(axis=1), 1.0)
    return np.asarray(np.log(whole) - np.log(chosen))


def separate_loss(probabilities: Floats, truth: Truths) -> Floats:
    """Compute the mean log loss of classes that each stand by themselves.

    Parameters
    ----------
    probabilities, truth
        Shape (n, classes).

    Returns
    -------
    Floats
        Shape (n,), in nats.
    """
    safe = np.clip(probabilities, _TINY, 1 - _TINY)
    return np.asarray(-np.log(np.where(truth, safe, 1 - safe)).mean(axis=1))
