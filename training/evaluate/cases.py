"""What a network said of images, and what that means once it is calibrated."""

import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from pacs_ai.errors import DataError
from pacs_ai.model.predict import activate
from training.statistics.calibration import Calibration, log_loss
from training.statistics.metrics import Floats, Truths

_TINY = 1e-15
_UNKNOWN = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What the classes are: their names, which are findings, and how they exclude each other.

    ``aggregation`` says how images become a study: ``max`` or ``mean``, as the node does it.
    """

    classes: tuple[str, ...]
    positive: tuple[bool, ...]
    activation: str
    aggregation: str

    @property
    def findings(self) -> list[int]:
        """Indices of the positive classes; all where none is."""
        found = [index for index, positive in enumerate(self.positive) if positive]
        return found or list(range(len(self.positive)))

    @property
    def binary(self) -> bool:
        """Whether there is one finding, which is there or not."""
        softmax = self.activation == "softmax"
        return len(self.findings) == 1 and len(self.classes) == (2 if softmax else 1)

    @property
    def headline(self) -> list[int]:
        """Classes over which the overall figures are means: the finding if `binary`, else all."""
        return self.findings if self.binary else list(range(len(self.classes)))


@dataclass(frozen=True, slots=True)
class Scores:
    """Logits of the images of a split, and what is known of them.

    ``images``, ``patients`` and ``units`` (studies) are keys, 12 hexadecimal digits each;
    ``logits`` and ``truth`` have shape (n, classes). ``groups`` holds the value of each subgroup
    for each image, "" where it is not known. ``votes`` has shape (n, raters), -1 for none.
    """

    images: tuple[str, ...]
    patients: tuple[str, ...]
    units: tuple[str, ...]
    logits: Floats
    truth: Truths
    groups: dict[str, tuple[str, ...]]
    votes: npt.NDArray[np.int64]

    def save(self, path: Path) -> None:
        """Write it as one file of plain arrays."""
        draft = path.with_suffix(".draft.npz")
        np.savez_compressed(
            draft,
            allow_pickle=False,
            images=np.array(self.images),
            patients=np.array(self.patients),
            units=np.array(self.units),
            logits=self.logits,
            truth=self.truth,
            votes=self.votes,
            **{f"group {name}": np.array(values) for name, values in self.groups.items()},
        )
        draft.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            If it is not there or not whole.
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
            )
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise DataError(f"{path} holds no scores: evaluate the run again") from error


@dataclass(frozen=True, slots=True)
class Cases:
    """Images or studies with calibrated probabilities, ready to be judged.

    ``chances`` and ``truth`` have shape (n, classes), ``loss`` has shape (n,). ``present`` says
    what the operating points decide, ``said`` which class is taken where classes exclude each
    other.
    """

    question: Question
    thresholds: tuple[float, ...]
    keys: tuple[str, ...]
    patients: tuple[str, ...]
    chances: Floats
    truth: Truths
    loss: Floats
    groups: dict[str, tuple[str, ...]]

    @property
    def present(self) -> Truths:
        """What the operating points decide, shape (n, classes)."""
        return np.asarray(self.chances >= np.array(self.thresholds))

    @property
    def true(self) -> npt.NDArray[np.int64]:
        """The true class of each case, shape (n,), where classes exclude each other."""
        return np.asarray(self.truth.argmax(axis=1))

    @property
    def said(self) -> npt.NDArray[np.int64]:
        """The class taken, shape (n,): of two by the operating point, else the most probable."""
        if self.question.binary and self.question.activation == "softmax":
            finding = self.question.findings[0]
            return np.where(self.present[:, finding], finding, 1 - finding)
        return np.asarray(self.chances.argmax(axis=1))

    def pick(self, chosen: npt.NDArray[np.int64]) -> Self:
        """Take some of the cases."""
        return replace(
            self,
            keys=tuple(self.keys[i] for i in chosen),
            patients=tuple(self.patients[i] for i in chosen),
            chances=self.chances[chosen],
            truth=self.truth[chosen],
            loss=self.loss[chosen],
            groups={name: tuple(each[i] for i in chosen) for name, each in self.groups.items()},
        )


def by_image(scores: Scores, question: Question, calibration: Calibration) -> Cases:
    """Take each image as a case."""
    temperature = calibration.temperature
    return Cases(
        question=question,
        thresholds=calibration.thresholds,
        keys=scores.images,
        patients=scores.patients,
        chances=activate(scores.logits.astype(np.float32), question.activation, temperature),
        truth=scores.truth,
        loss=log_loss(scores.logits, scores.truth, question.activation, temperature),
        groups=scores.groups,
    )


def by_study(images: Cases, units: Sequence[str]) -> Cases:
    """Put images together to studies, as the node does.

    Parameters
    ----------
    images
        Cases that are images.
    units
        The study of each.

    Returns
    -------
    Cases
        In the order in which studies first come. A finding is true for a study if it is for one
        of its images; where classes exclude each other, the commonest finding of its images.
    """
    members: dict[str, list[int]] = {}
    for index, unit in enumerate(units):
        members.setdefault(unit, []).append(index)
    rows = [np.array(each) for each in members.values()]
    chances = np.stack([aggregate(images.chances[each], images.question) for each in rows])
    truth = np.stack([_truth_of(images.truth[each], images.question) for each in rows])
    return replace(
        images,
        keys=tuple(members),
        patients=tuple(images.patients[each[0]] for each in rows),
        chances=chances,
        truth=truth,
        loss=_loss_of(chances, truth, images.question.activation),
        groups={
            name: tuple(_common([values[i] for i in each]) for each in rows)
            for name, values in images.groups.items()
        },
    )


def aggregate(chances: Floats, question: Question) -> Floats:
    """Make a study's probabilities of those of its images, shape (n, classes) to (classes,).

    The rule of `pacs_ai.model.predict.aggregate`: a test holds them against each other.
    """
    if question.aggregation == "mean":
        return np.asarray(chances.mean(axis=0))
    if question.activation == "sigmoid":
        return np.asarray(chances.max(axis=0))
    return np.asarray(chances[int(chances[:, question.findings].max(axis=1).argmax())])


def _truth_of(truth: Truths, question: Question) -> Truths:
    positive = np.array(question.positive)
    if question.activation == "sigmoid":
        return np.asarray(np.where(positive, truth.any(axis=0), truth.all(axis=0)))
    counts = truth.sum(axis=0)
    if (counts * positive).any():
        counts = counts * positive
    return np.asarray(np.arange(positive.size) == counts.argmax())


def _loss_of(chances: Floats, truth: Truths, activation: str) -> Floats:
    safe = np.clip(chances, _TINY, 1 - _TINY)
    if activation == "softmax":
        return np.asarray(-np.log((safe * truth).sum(axis=1)))
    return np.asarray(-np.log(np.where(truth, safe, 1 - safe)).mean(axis=1))


def _common(values: Sequence[str]) -> str:
    return Counter(values).most_common(1)[0][0] if values else _UNKNOWN
