"""Read every image once, and leave out those that cannot be used."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from training.data.candidates import Candidate
from training.data.dicom import refuse_or_note
from training.data.fingerprint import fingerprints
from training.recipe.data import DicomData, PhantomData
from training.recipe.recipe import Recipe

_MASK = 2


def examine(
    recipe: Recipe, candidates: Sequence[Candidate], console: Console, notes: list[str]
) -> None:
    """Read images, and leave out those that cannot be read, and masks.

    Parameters
    ----------
    recipe
        Says what happens to unreadable images and to masks.
    candidates
        The images to read; ``shown`` and ``left_out`` are set.
    console
        Where progress is shown.
    notes
        Gets a note for each reason to leave images out, and for each caution.

    Raises
    ------
    DataError
        If an image cannot be read, unless the recipe drops those.
    """
    samples = [each.sample for each in candidates]
    tracked = track(
        fingerprints(samples, recipe.input.windows, recipe.feeding.workers),
        "Reading every image",
        len(samples),
        console=console,
        transient=True,
    )
    for each, shown in zip(candidates, tracked, strict=True):
        each.shown = shown
    _leave_out_unreadable(recipe, candidates, notes)
    notes += _cautions(candidates)
    if isinstance(recipe.data, DicomData) and recipe.data.masks == "drop":
        _leave_out_masks(candidates, notes)


def _leave_out_unreadable(
    recipe: Recipe, candidates: Sequence[Candidate], notes: list[str]
) -> None:
    broken = []
    for each in candidates:
        if each.shown is not None and each.shown.error:
            broken.append(each.shown.error)  # it begins with the path
            each.left_out = "unreadable"
    policy = "refuse" if isinstance(recipe.data, PhantomData) else recipe.data.unreadable
    if broken:
        refuse_or_note(broken, policy, "cannot be read", notes)


def _leave_out_masks(candidates: Sequence[Candidate], notes: list[str]) -> None:
    masks = [
        each
        for each in candidates
        if each.shown is not None and not each.shown.error and each.shown.levels <= _MASK
    ]
    for each in masks:
        each.left_out = "mask"
    if masks:
        notes.append(f"{len(masks)} images left out, they are masks")


def _cautions(candidates: Sequence[Candidate]) -> Iterator[str]:
    """Count the images that cannot be displayed as their headers or the recipe ask."""
    named: dict[str, list[Path]] = defaultdict(list)
    for each in candidates:
        for caution in each.shown.cautions if each.shown is not None else ():
            named[caution].append(each.sample.path)
    for caution, paths in sorted(named.items()):
        yield f"{len(paths)} images: {caution} (the first: {paths[0]})"
