"""Scores of images, and the calibrated probabilities of images and studies."""

import io
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from pacs_ai.errors import DataError
from pacs_ai.files import atomic_write
from pacs_ai.model.aggregation import Combination
from pacs_ai.model.predict import activate
from training.statistics.calibration import Calibration, log_loss
from training.statistics.metrics import Floats, Truths

_TINY = 1e-15
_UNKNOWN = ""


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
    def rule(self) -> Combination:
        """How the images of a study are combined, with the code of the node."""
        return Combination(self.aggregation, self.activation, self.positive)

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
class Scores:
    """Logits of the images of a split, with their labels and subgroups.

    ``images``, ``patients`` and ``units`` (studies) are keys of 12 hexadecimal digits. ``logits``
    (float64) and ``truth`` (bool) have shape (n, classes). ``groups`` has the value of each
    subgroup for each image, "" if it is not known. ``votes`` has shape (n, raters), -1 for none.
    ``shown`` (bool, shape (n,)) marks the images that the node shows to the model; None for all.
    """

    images: tuple[str, ...]
    patients: tuple[str, ...]
    units: tuple[str, ...]
    logits: Floats
    truth: Truths
    groups: dict[str, tuple[str, ...]]
    votes: npt.NDArray[np.int64]
    shown: npt.NDArray[np.bool_] | None = None

    def save(self, path: Path) -> None:
        """Write one file of arrays, as one atomic write."""
        content = io.BytesIO()
        np.savez_compressed(
            content,
            allow_pickle=False,
            images=np.array(self.images),
            patients=np.array(self.patients),
            units=np.array(self.units),
            logits=self.logits,
            truth=self.truth,
            votes=self.votes,
            **({} if self.shown is None else {"shown": self.shown}),
            **{f"group {name}": np.array(values) for name, values in self.groups.items()},
        )
        atomic_write(path, content.getvalue())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            If the file is missing or damaged.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            groups = {
                name.removeprefix("group "): tuple(values.tolist())
                for name, values in arrays.items()
                if name.startswith("group ")
            }
            return cls(
                images=tuple(arrays["images"].tolist()),
                patients=tuple(arrays["patients"].tolist()),
                units=tuple(arrays["units"].tolist()),
                logits=arrays["logits"],
                truth=arrays["truth"],
                groups=groups,
                votes=arrays["votes"],
                shown=arrays.get("shown"),
            )
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise DataError(f"{path} holds no scores: evaluate the run again") from error


@dataclass(frozen=True, slots=True)
class Cases:
    """Images or studies with calibrated probabilities: the input of all metrics.

    ``probabilities`` (float) and ``truth`` (bool) have shape (n, classes), ``loss`` has shape (n,).
    """

    question: Question
    thresholds: tuple[float, ...]
    keys: tuple[str, ...]
    patients: tuple[str, ...]
    probabilities: Floats
    truth: Truths
    loss: Floats
    groups: dict[str, tuple[str, ...]]

    @property
    def decisions(self) -> Truths:
        """Whether each probability reaches its threshold, shape (n, classes)."""
        return np.asarray(self.probabilities >= np.array(self.thresholds))

    @property
    def true_classes(self) -> npt.NDArray[np.int64]:
        """Index of the true class of each case, shape (n,), for softmax."""
        return np.asarray(self.truth.argmax(axis=1))

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
            groups={name: tuple(each[i] for i in chosen) for name, each in self.groups.items()},
        )


def by_image(scores: Scores, question: Question, calibration: Calibration) -> Cases:
    """Make a case of each image."""
    temperature = calibration.temperature
    return Cases(
        question=question,
        thresholds=calibration.thresholds,
        keys=scores.images,
        patients=scores.patients,
        probabilities=activate(scores.logits.astype(np.float32), question.activation, temperature),
        truth=scores.truth,
        loss=log_loss(scores.logits, scores.truth, question.activation, temperature),
        groups=scores.groups,
    )


def by_study(images: Cases, scores: Scores) -> Cases:
    """Aggregate images to studies, as the node does.

    Parameters
    ----------
    images
        Cases that are images.
    scores
        Those of the images: the study of each, and which of them the node shows to the model.

    Returns
    -------
    Cases
        In the order in which studies first appear. A finding is true for a study if it is true
        for one of its images, shown or not; for softmax, the most frequent finding of its images
        is true.
    """
    members: dict[str, list[int]] = {}
    for index, unit in enumerate(scores.units):
        members.setdefault(unit, []).append(index)
    rows = [np.array(each) for each in members.values()]
    rule, shown = images.question.rule, scores.shown
    seen = rows if shown is None else [each[shown[each]] for each in rows]
    probabilities = np.stack([rule.combine(images.probabilities[each]) for each in seen])
    truth = np.stack([_truth_of(images.truth[each], images.question) for each in rows])
    return replace(
        images,
        keys=tuple(members),
        patients=tuple(images.patients[each[0]] for each in rows),
        probabilities=probabilities,
        truth=truth,
        loss=_loss_of(probabilities, truth, images.question.activation),
        groups={
            name: tuple(_common([values[i] for i in each]) for each in rows)
            for name, values in images.groups.items()
        },
    )


def _truth_of(truth: Truths, question: Question) -> Truths:
    positive = np.array(question.positive)
    if question.activation == "sigmoid":
        return np.asarray(np.where(positive, truth.any(axis=0), truth.all(axis=0)))
    counts = truth.sum(axis=0)
    if (counts * positive).any():
        counts = counts * positive
    return np.asarray(np.arange(positive.size) == counts.argmax())


def _loss_of(probabilities: Floats, truth: Truths, activation: str) -> Floats:
    safe = np.clip(probabilities, _TINY, 1 - _TINY)
    if activation == "softmax":
        return np.asarray(-np.log((safe * truth).sum(axis=1)))
    return np.asarray(-np.log(np.where(truth, safe, 1 - safe)).mean(axis=1))


def _common(values: Sequence[str]) -> str:
    return Counter(values).most_common(1)[0][0] if values else _UNKNOWN
