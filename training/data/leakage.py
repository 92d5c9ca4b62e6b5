"""Leakage between splits: the same patient, the same pixels, or nearly the same image."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pacs_ai.errors import DataError
from training.data.fingerprint import Fingerprint
from training.data.samples import SPLITS, Sample, SplitName
from training.recipe.data import Split

Kind = Literal["same patient", "same pixels", "nearly the same"]
KINDS: tuple[Kind, ...] = ("same patient", "same pixels", "nearly the same")

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Leak:
    """Two images in different splits that must not be there: the index to drop, and to keep.

    The training image is dropped before the validation image, and both before the test image, so
    that the figures of different runs are about the same test images.
    """

    kind: Kind
    drop: int
    keep: int


@dataclass(frozen=True, slots=True)
class Shared:
    """The number of images of a split, out of ``of``, that leak into another split by one kind.

    ``by_class`` counts them by class index; an image of several classes counts in each.
    """

    split: SplitName
    kind: Kind
    images: int
    of: int
    by_class: Mapping[int, int]


def find_leaks(
    patients: Sequence[str],
    names: Sequence[SplitName],
    prints: Sequence[Fingerprint],
    near: Iterable[tuple[int, int]],
) -> list[Leak]:
    """Find images that two splits share.

    Parameters
    ----------
    patients, names, prints
        The patient ("" if not known), the split and the fingerprint of each image.
    near
        Pairs of indices that are nearly the same.

    Returns
    -------
    list of Leak
        For each image to drop and each kind, one image that it is like.
    """
    leaks: dict[tuple[Kind, int], int] = {}

    def add(kind: Kind, first: int, second: int) -> None:
        if names[first] == names[second]:
            return
        drop, keep = sorted((first, second), key=lambda index: SPLITS.index(names[index]))
        leaks.setdefault((kind, drop), keep)

    # all images without contrast are alike, so they are not compared
    pixels = [each.pixels if each.thumbnail is not None else "" for each in prints]
    for first, second in _across(patients, names):
        add("same patient", first, second)
    for first, second in _across(pixels, names):
        add("same pixels", first, second)
    for first, second in near:
        known = {("same pixels", first), ("same pixels", second)}
        if not known & leaks.keys():
            add("nearly the same", first, second)
    return [Leak(kind, drop, keep) for (kind, drop), keep in sorted(leaks.items())]


def _across(values: Sequence[str], names: Sequence[SplitName]) -> Iterable[tuple[int, int]]:
    """Pair every image with the first of each other split that has the same value."""
    places: dict[str, dict[SplitName, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, (value, name) in enumerate(zip(values, names, strict=True)):
        places[value][name].append(index)
    for value, by_split in places.items():
        if value and len(by_split) > 1:
            last = max(by_split, key=SPLITS.index)
            keep = by_split[last][0]
            yield from (
                (index, keep) for name, found in by_split.items() if name != last for index in found
            )


def tally(
    leaks: Sequence[Leak], samples: Sequence[Sample], names: Sequence[SplitName]
) -> list[Shared]:
    """Count the images to drop, each once, by split and kind."""
    first: dict[int, Kind] = {}
    for leak in sorted(leaks, key=lambda leak: KINDS.index(leak.kind)):
        first.setdefault(leak.drop, leak.kind)
    shared = []
    for split, kind in itertools.product(SPLITS, KINDS):
        found = [i for i, of_kind in first.items() if of_kind == kind and names[i] == split]
        if found:
            by_class = Counter(label for index in found for label in samples[index].labels)
            shared.append(Shared(split, kind, len(found), names.count(split), by_class))
    return shared


def refuse(leaks: Sequence[Leak], samples: Sequence[Sample], split: Split) -> None:
    """Raise an error that names the leaks and the remedy, if there are any.

    Raises
    ------
    DataError
        Names files and keys, never patients.
    """
    if not leaks:
        return
    parts = []
    for kind in KINDS:
        found = [leak for leak in leaks if leak.kind == kind]
        if not found:
            continue
        first = found[0]
        keys = {samples[leak.drop].key for leak in found}
        what = f"{len(keys)} patients" if kind == "same patient" else f"{len(found)} images"
        parts.append(
            f"{kind}: {what} (the first: {samples[first.drop].path} and {samples[first.keep].path})"
        )
    remedy = 'correct the splits, or set split.leakage = "drop" to leave out the copies'
    if split.by == "hash" and split.group == "patient":
        remedy += ', or split.group = "near-duplicates" to keep such images in one split'
    raise DataError(f"splits share images: {'; '.join(parts)}; {remedy}")
