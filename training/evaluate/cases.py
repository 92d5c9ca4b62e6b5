"""Scores of images, and the calibrated probabilities of images and studies."""

import io
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from pacs_ai.errors import DataError
from pacs_ai.files import atomic_write
from pacs_ai.model.aggregation import Combination
from pacs_ai.model.predict import activate
from pacs_ai.statistics.cases import Cases, Question, exclusive_loss, separate_loss
from pacs_ai.statistics.metrics import Floats, Truths
from training.statistics.calibration import Calibration, log_loss

_UNKNOWN = ""


@dataclass(frozen=True, slots=True)
class Scores:
    """Logits of the images of a split, with their labels and subgroups.

    ``images``, ``patients`` and ``units`` (studies) are keys of 12 hexadecimal digits. ``logits``
    (float64) and ``truth`` (bool) have shape (n, classes). ``groups`` has the value of each
    subgroup for each image, "" if it is not known. ``votes`` has shape (n, raters), -1 for none.
    ``places`` (int, shape (n,)) has the place of each image among those of its study that the node
    shows to the model, -1 if it does not show it; None: all are shown. The last ``added`` images
    have no label: the node shows them, so they count for their study and for nothing else.
    """

    images: tuple[str, ...]
    patients: tuple[str, ...]
    units: tuple[str, ...]
    logits: Floats
    truth: Truths
    groups: dict[str, tuple[str, ...]]
    votes: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64] | None = None
    added: int = 0

    @property
    def labelled(self) -> int:
        """How many images have labels: the first ones."""
        return len(self.images) - self.added

    @property
    def unanswered(self) -> int:
        """Number of studies of which the node would show no image to the model."""
        if self.places is None:
            return 0
        seen = {unit for unit, place in zip(self.units, self.places, strict=True) if place >= 0}
        return len(set(self.units) - seen)

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
            added=np.array(self.added),
            **({} if self.places is None else {"places": self.places}),
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
                places=arrays.get("places"),
                added=int(arrays["added"]),
            )
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise DataError(f"{path} holds no scores: evaluate the run again") from error


def by_image(scores: Scores, question: Question, calibration: Calibration) -> Cases:
    """Make a case of each image that has labels."""
    temperature, own = calibration.temperature, slice(scores.labelled)
    logits, truth = scores.logits[own], scores.truth[own]
    return Cases(
        question=question,
        thresholds=calibration.thresholds,
        keys=scores.images[own],
        patients=scores.patients[own],
        probabilities=activate(logits.astype(np.float32), question.activation, temperature),
        truth=truth,
        loss=log_loss(logits, truth, question.activation, temperature),
        groups={name: values[own] for name, values in scores.groups.items()},
    )


def by_study(scores: Scores, question: Question, calibration: Calibration) -> Cases:
    """Aggregate images to studies, as the node does.

    Parameters
    ----------
    scores
        Those of the images: the study of each, and its place among those that the node shows to
        the model.
    question, calibration
        As for `by_image`.

    Returns
    -------
    Cases
        In the order in which studies first appear; a study of which the node would show no image is
        left out. A finding is true for a study if it is true for one of its images, shown or not.
        Another class is true for softmax if no finding is and most images have it.
    """
    members: dict[str, list[int]] = {}
    for index, unit in enumerate(scores.units):
        members.setdefault(unit, []).append(index)
    places = np.arange(len(scores.units)) if scores.places is None else scores.places
    answered = {unit: np.array(each) for unit, each in members.items() if (places[each] >= 0).any()}
    table = activate(scores.logits.astype(np.float32), question.activation, calibration.temperature)
    seen = [each[np.argsort(places[each])] for each in answered.values()]
    seen = [each[places[each] >= 0] for each in seen]
    own = [each[each < scores.labelled] for each in answered.values()]
    rule = rule_of(question)
    said = np.stack([rule.combine(table[each]) for each in seen])
    commonest = np.array([_commonest(scores.truth[each], question) for each in own])
    truth = np.stack([_truth_of(scores.truth[each], question) for each in own])
    softmax = question.activation == "softmax"
    return Cases(
        question=question,
        thresholds=calibration.thresholds,
        keys=tuple(answered),
        patients=tuple(scores.patients[each[0]] for each in own),
        probabilities=said,
        truth=truth,
        loss=exclusive_loss(said, commonest) if softmax else separate_loss(said, truth),
        groups={
            name: tuple(_common([values[i] for i in each]) for each in own)
            for name, values in scores.groups.items()
        },
        commonest=commonest if softmax else None,
    )


def rule_of(question: Question) -> Combination:
    """Return how the images of a study are combined, with the code of the node."""
    return Combination(question.aggregation, question.activation, question.positive)


def _truth_of(truth: Truths, question: Question) -> Truths:
    positive = np.array(question.positive)
    if question.activation == "sigmoid":
        return np.asarray(np.where(positive, truth.any(axis=0), truth.all(axis=0)))
    found = truth.any(axis=0) & positive
    return found if found.any() else np.arange(positive.size) == _commonest(truth, question)


def _commonest(truth: Truths, question: Question) -> int:
    """Return the class of most images, of the findings if there are any."""
    counts, positive = truth.sum(axis=0), np.array(question.positive)
    return int((counts * positive if (counts * positive).any() else counts).argmax())


def _common(values: Sequence[str]) -> str:
    return Counter(values).most_common(1)[0][0] if values else _UNKNOWN
