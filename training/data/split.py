"""Assign images to splits by patient: by a hash of the patient, or as the labels give."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from pacs_ai.errors import DataError
from training.data.classes import CollectedSample
from training.data.samples import SPLITS, TEST, TRAIN, VALIDATION, SplitName
from training.recipe.data import Split
from training.recipe.selection import hash_rank

_PARTS = 2**64


def assign(found: Sequence[CollectedSample], split: Split, units: Sequence[str]) -> list[SplitName]:
    """Assign each image to a split.

    Parameters
    ----------
    found
        The images.
    split
        The section ``[split]`` of the recipe.
    units
        The unit of each image that must stay in one split: its patient, or a group of patients.

    Raises
    ------
    DataError
        If the splits are given but one is missing, or some images have none.
    """
    if split.by == "hash":
        return [_drawn(unit, split) for unit in units]
    given = [image.given for image in found]
    for image in found:
        if not image.given:
            raise DataError(
                f"{image.sample.path} is in no split: fill in the column that data.split_column "
                'names (or data.labels.split_column), or set split.by = "hash"'
            )
    missing = {TRAIN, TEST} - set(given)
    if missing:
        raise DataError(
            f'no image is in the split {" or ".join(sorted(missing))}; set split.by = "hash" to '
            "have it drawn"
        )
    return _with_validation(given, split, units)


def _with_validation(given: Sequence[str], split: Split, units: Sequence[str]) -> list[SplitName]:
    """Draw a validation split from the training split if none is given."""
    named: list[SplitName] = [name for text in given for name in SPLITS if name == text]
    if VALIDATION in named:
        return named
    chosen = {
        u
        for u, n in zip(units, named, strict=True)
        if n == TRAIN and _share(u, split) < split.validation
    }
    return [
        VALIDATION if name == TRAIN and unit in chosen else name
        for name, unit in zip(named, units, strict=True)
    ]


def _drawn(unit: str, split: Split) -> SplitName:
    share = _share(unit, split)
    if share < split.test:
        return TEST
    return VALIDATION if share < split.test + split.validation else TRAIN


def _share(unit: str, split: Split) -> float:
    """Return a number in [0, 1) that depends only on patient and salt."""
    return hash_rank(unit, split.salt) / _PARTS


def join_groups(patients: Sequence[str], pairs: Iterable[tuple[int, int]]) -> list[str]:
    """Join patients whose images are nearly the same into groups.

    Parameters
    ----------
    patients
        The patient of each image.
    pairs
        Indices of images that are nearly the same.

    Returns
    -------
    list of str
        The group of each image, named by its member of the lowest rank, so that a group stays in
        its split when unrelated images are added.
    """
    above = {patient: patient for patient in patients}

    def root(patient: str) -> str:
        while above[patient] != patient:
            above[patient] = above[above[patient]]
            patient = above[patient]
        return patient

    for first, second in pairs:
        low, high = sorted((root(patients[first]), root(patients[second])), key=hash_rank)
        above[high] = low
    return [root(patient) for patient in patients]


def limit_patients(
    found: Sequence[CollectedSample], names: Sequence[SplitName], limit: int
) -> list[int]:
    """Choose at most ``limit`` patients of each split, taking turns between labels.

    Returns
    -------
    list of int
        Indices of the images that stay, in order.
    """
    queues: dict[tuple[str, tuple[int, ...]], list[str]] = defaultdict(list)
    for image, name in zip(found, names, strict=True):
        queues[name, image.sample.labels].append(image.sample.patient)
    kept: dict[str, dict[str, None]] = {name: {} for name in SPLITS}
    for name in SPLITS:
        lists = [
            sorted(set(who), key=hash_rank) for (of, _), who in sorted(queues.items()) if of == name
        ]
        for turn in range(max(map(len, lists), default=0)):
            for who in lists:
                if turn < len(who) and len(kept[name]) < limit:
                    kept[name].setdefault(who[turn])
    return [
        index
        for index, (image, name) in enumerate(zip(found, names, strict=True))
        if image.sample.patient in kept[name]
    ]
