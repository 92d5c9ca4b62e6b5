"""Candidates: collected images on their way into a split, and what each was found to be."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

from rich.console import Console

from training.data.classes import Classes, Collected, CollectedSample
from training.data.dicom import collect_dicom
from training.data.fingerprint import Fingerprint, near_pairs
from training.data.phantom import collect_phantoms, drawn_studies
from training.data.pictures import collect_pictures
from training.data.samples import Sample, SplitName
from training.data.split_file import LeftOut, SplitFile
from training.recipe.data import DicomData, PhantomData, Split
from training.recipe.recipe import Recipe


@dataclass(slots=True)
class Candidate:
    """A collected image. ``split`` is "" until it is drawn, ``shown`` is None until it is read."""

    found: CollectedSample
    split: SplitName | Literal[""] = ""
    left_out: LeftOut = ""
    shown: Fingerprint | None = None

    @property
    def sample(self) -> Sample:
        """The image with its labels."""
        return self.found.sample

    @property
    def pixels(self) -> str:
        """The SHA-256 of the display values, "" if the image was not read, or is of no use."""
        return self.shown.pixels if self.shown is not None and self.left_out != "limit" else ""


@dataclass(frozen=True, slots=True)
class Alike:
    """Pairs of indices of images: with the same pixels, and nearly the same."""

    same: Sequence[tuple[int, int]] = ()
    near: Sequence[tuple[int, int]] = ()

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Give all pairs."""
        yield from self.same
        yield from self.near

    def among(self, places: Mapping[int, int]) -> Self:
        """Return the pairs of some images, with other indices.

        Parameters
        ----------
        places
            From each index that stays to its new one.
        """
        same, near = (
            [(places[a], places[b]) for a, b in pairs if a in places and b in places]
            for pairs in (self.same, self.near)
        )
        return replace(self, same=same, near=near)


def collect(recipe: Recipe, console: Console, frozen: SplitFile | None = None) -> Collected:
    """Find the images of a recipe and their labels.

    Parameters
    ----------
    recipe
        The recipe.
    console
        Where progress is shown.
    frozen
        The split of a run: as many phantoms are collected as it was drawn from.

    Raises
    ------
    DataError
        If data are missing or contradictory.
    """
    data = recipe.data
    if isinstance(data, PhantomData):
        files = [] if frozen is None else [row.file for row in frozen.rows]
        limit = drawn_studies(files) if files else recipe.limit
        return collect_phantoms(data, console, limit)
    names = tuple(entry.name for entry in recipe.classes)
    classes = Classes(names, data.names, several=recipe.release.activation == "sigmoid")
    collected = (
        collect_dicom(data, recipe.input.modalities, classes)
        if isinstance(data, DicomData)
        else collect_pictures(data, classes)
    )
    return replace(collected, notes=(*collected.notes, *classes.notes()))


def alike_of(candidates: Sequence[Candidate], split: Split) -> Alike:
    """Pair equal and nearly equal images, of those that were read and are not left out.

    Images that leak are not left out here: they are found by these pairs. Images without contrast
    are like no other.
    """
    usable = {
        index: each.shown
        for index, each in enumerate(candidates)
        if each.shown is not None and each.left_out in ("", "leakage")
    }
    first: dict[str, int] = {}
    same = [
        (first[shown.pixels], index)
        for index, shown in usable.items()
        if shown.thumbnail is not None and first.setdefault(shown.pixels, index) != index
    ]
    near = near_pairs(list(usable.values()), split.near_bits, split.near_correlation)
    places = list(usable)
    return Alike(same, [(places[a], places[b]) for a, b in near])
