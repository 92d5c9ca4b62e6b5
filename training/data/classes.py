"""From what label sources say to the classes of a recipe."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pacs_ai.errors import DataError
from training.data.labels import Label
from training.data.samples import Box, Sample


@dataclass(frozen=True, slots=True)
class Found:
    """A sample, and the split that its label names ("" if none)."""

    sample: Sample
    given: str = ""


@dataclass(frozen=True, slots=True)
class Collected:
    """All that a source has, and what was left out, in sentences."""

    found: tuple[Found, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Statement:
    """What is to be learned from one image, or from one box of it."""

    labels: tuple[int, ...]
    split: str
    patient: str
    box: Box | None
    votes: tuple[int, ...]


class Classes:
    """The classes of a recipe, and what they are called elsewhere.

    Parameters
    ----------
    classes
        Names, in the order of the network's outputs.
    names
        What labels say: what it is called in the recipe, "" for what is left out.
    several
        Whether an image may belong to any number of classes (sigmoid head).
    """

    def __init__(self, classes: Sequence[str], names: Mapping[str, str], *, several: bool) -> None:
        self._classes, self._names, self._several = tuple(classes), names, several

    def statements(self, labels: Sequence[Label], *, by_box: bool) -> list[Statement]:
        """Put together what is said about one image.

        Parameters
        ----------
        labels
            At least one.
        by_box
            Whether each box is an input of its own; what has no box is left out then.

        Returns
        -------
        list of Statement
            One, or with ``by_box`` one for each box; none if its label is to be left out.

        Raises
        ------
        DataError
            If a label is no class, or labels contradict each other; names where they stand.
        """
        boxed = [[label] for label in labels if label.box is not None]
        parts = boxed if by_box else [list(labels)]
        return [said for part in parts if (said := self._merged(part)) is not None]

    def _merged(self, labels: Sequence[Label]) -> Statement | None:
        first = labels[0]
        known = [(label, self._indices(label)) for label in labels]
        kept = [(label, found) for label, found in known if found is not None]
        if not kept:
            return None
        indices = tuple(sorted({index for _, found in kept for index in found}))
        if not self._several and len(indices) != 1:
            origins = " and ".join(dict.fromkeys(label.origin for label in labels))
            raise DataError(
                f"{origins}: one image is said to be {' and '.join(map(self._name, indices))}; "
                "correct the labels, or use a sigmoid head"
            )
        boxes = [label.box for label, _ in kept if label.box is not None]
        return Statement(
            labels=indices,
            split=_agreed([label.split for label in labels], first.origin),
            patient=first.patient,
            box=max(boxes, key=_area, default=None),
            votes=self._votes(first),
        )

    def _indices(self, label: Label) -> tuple[int, ...] | None:
        """Which classes a label means; None if it is to be left out."""
        if not label.names and label.votes:
            ranked = Counter(self._votes(label)).most_common(2)
            tied = len(ranked) > 1 and ranked[0][1] == ranked[1][1]
            return None if tied or not ranked else (ranked[0][0],)
        found = [self._index(name, label.origin) for name in label.names]
        kept = tuple(index for index in found if index is not None)
        return kept if kept or (self._several and not found) else None

    def _votes(self, label: Label) -> tuple[int, ...]:
        votes = (self._index(name, label.origin) for name in label.votes)
        return tuple(index for index in votes if index is not None)

    def _index(self, said: str, origin: str) -> int | None:
        name = self._names.get(said, said)
        if not name:
            return None
        try:
            return self._classes.index(name)
        except ValueError as error:
            raise DataError(
                f"{origin}: {said!r} is none of the classes {', '.join(self._classes)}; say in "
                'data.names what it means, or "" to leave it out'
            ) from error

    def _name(self, index: int) -> str:
        return self._classes[index]


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _agreed(splits: Sequence[str], origin: str) -> str:
    named = {split for split in splits if split}
    if len(named) > 1:
        raise DataError(f"{origin}: one image is said to be in {' and '.join(sorted(named))}")
    return named.pop() if named else ""
