"""From the labels of a source to the classes of a recipe."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pacs_ai.errors import DataError
from training.data.labels import Label
from training.data.samples import Box, Sample

_NO_FINDING = frozenset({"no finding", "no findings"})


@dataclass(frozen=True, slots=True)
class CollectedSample:
    """A sample, and the split that its label gives ("" if none)."""

    sample: Sample
    given: str = ""


@dataclass(frozen=True, slots=True)
class Collected:
    """The samples of a source, notes about what was left out, and `Dataset.studies`."""

    found: tuple[CollectedSample, ...]
    notes: tuple[str, ...] = ()
    studies: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Annotation:
    """The merged labels of one image, or of one box in it."""

    labels: tuple[int, ...]
    split: str
    patient: str
    box: Box | None
    votes: tuple[int, ...]
    uncertain: tuple[int, ...] = ()


class Classes:
    """The classes of a recipe, and their names in the label source.

    Parameters
    ----------
    classes
        Names, in the order of the outputs of the network.
    names
        From names of the label source to classes; "" leaves a label out.
    several
        Whether an image may have any number of classes (sigmoid).
    """

    def __init__(self, classes: Sequence[str], names: Mapping[str, str], *, several: bool) -> None:
        self._classes, self._names, self._several = tuple(classes), names, several
        self._noted: dict[str, list[str]] = defaultdict(list)

    def annotations(self, labels: Sequence[Label], *, by_box: bool) -> list[Annotation]:
        """Merge the labels of one image.

        Parameters
        ----------
        labels
            At least one label.
        by_box
            Whether each box is an input of its own; labels without a box are left out then.

        Returns
        -------
        list of Annotation
            One, or with ``by_box`` one for each box; none if the label is left out.

        Raises
        ------
        DataError
            If a label is not a class, or labels contradict each other; names the rows.
        """
        boxed = [[label] for label in labels if label.box is not None]
        if by_box and not boxed:
            self._noted["left out, they have no box"].append(labels[0].origin)
        parts = boxed if by_box else [list(labels)]
        return [said for part in parts if (said := self._merged(part)) is not None]

    def notes(self) -> list[str]:
        """Count the images whose labels leave them out, or contradict themselves."""
        return [f"{len(at)} images {what} (the first: {at[0]})" for what, at in self._noted.items()]

    def knows(self, name: str) -> bool:
        """Tell whether a name of the label source is a class, or is mapped to one."""
        return self._names.get(name, name) in self._classes

    def _merged(self, labels: Sequence[Label]) -> Annotation | None:
        first = labels[0]
        if first.uncertain and not self._several:
            raise DataError(
                f"{first.origin}: {' and '.join(first.uncertain)} may be true or not, which only "
                'sigmoid can leave out of the loss: set uncertain = "drop"'
            )
        known = [(label, self._indices(label)) for label in labels]
        kept = [(label, found) for label, found in known if found is not None]
        if not kept:
            self._noted[f"left out, {self._why_left_out(labels)}"].append(first.origin)
            return None
        indices = tuple(sorted({index for _, found in kept for index in found}))
        if not self._several and len(indices) != 1:
            origins = " and ".join(dict.fromkeys(label.origin for label in labels))
            raise DataError(
                f"{origins}: one image is labelled {' and '.join(map(self._name, indices))}; "
                "correct the labels, or use a sigmoid head"
            )
        if indices and (none := self._place_of_none(labels)):
            self._noted["are labelled no finding and a class; the class counts"].append(none)
        boxes = [label.box for label, _ in kept if label.box is not None]
        return Annotation(
            labels=indices,
            split=_agreed([label.split for label in labels], first.origin),
            patient=first.patient,
            box=max(boxes, key=_area, default=None),
            votes=self._votes(first),
            uncertain=self._uncertain(kept, indices),
        )

    def _uncertain(
        self, kept: Sequence[tuple[Label, object]], stated: Sequence[int]
    ) -> tuple[int, ...]:
        named = {self._index(name, each.origin) for each, _ in kept for name in each.uncertain}
        return tuple(sorted(index for index in named if index is not None and index not in stated))

    def _indices(self, label: Label) -> tuple[int, ...] | None:
        """Return the classes of a label; None if it is left out."""
        if not label.names and label.votes:
            ranked = Counter(self._votes(label)).most_common(2)
            tied = len(ranked) > 1 and ranked[0][1] == ranked[1][1]
            return None if tied or not ranked else (ranked[0][0],)
        found = [self._index(name, label.origin) for name in label.names if not self._is_none(name)]
        kept = tuple(index for index in found if index is not None)
        return kept if kept or (self._several and not found) else None

    def _is_none(self, name: str) -> bool:
        """Tell whether a label means: none of the classes, which only sigmoid can express."""
        unmapped = self._names.get(name, name) not in self._classes
        return self._several and unmapped and name.strip().casefold() in _NO_FINDING

    def _why_left_out(self, labels: Sequence[Label]) -> str:
        """Say why no label of an image is used."""
        if any(each.names for each in labels):
            return "data.names leaves their labels out"
        if any(each.votes for each in labels):
            return "no class has most of the votes"
        return "they have none of the classes, which only sigmoid can learn"

    def _place_of_none(self, labels: Sequence[Label]) -> str:
        """Return the place of the first label that means: none of the classes; else ""."""
        places = (each.origin for each in labels if any(map(self._is_none, each.names)))
        return next(places, "")

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
                f"{origin}: {said!r} is none of the classes {', '.join(self._classes)}; map it "
                'in data.names to a class, or to "" to leave it out'
            ) from error

    def _name(self, index: int) -> str:
        return self._classes[index]


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _agreed(splits: Sequence[str], origin: str) -> str:
    named = {split for split in splits if split}
    if len(named) > 1:
        raise DataError(f"{origin}: one image is in {' and '.join(sorted(named))}")
    return named.pop() if named else ""
