"""Give each candidate a split: drawn as the recipe says, or taken from a split file."""

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from training.data.candidates import Alike, Candidate, alike_of
from training.data.examine import examine
from training.data.frozen import Matched, match
from training.data.samples import SPLITS
from training.data.split import assign, join_groups, limit_patients
from training.data.split_file import SplitFile, SplitRow
from training.recipe.recipe import Recipe

_DIGITS = 12
_UNREAD = ("limit", "unreadable")


def draw(
    recipe: Recipe, candidates: Sequence[Candidate], console: Console, notes: list[str]
) -> Alike:
    """Draw the splits once, and read the images.

    With near-duplicates as groups, all images are read first. Otherwise images beyond the limit are
    not read at all.

    Returns
    -------
    Alike
        The pairs of images that are alike, as `alike_of` gives them.
    """
    if recipe.split.group == "near-duplicates":
        examine(recipe, candidates, console, notes)
        alike = alike_of(candidates, recipe.split)
        units = join_groups([each.sample.patient for each in candidates], alike)
        _assign(recipe, candidates, units)
        return alike.among({i: i for i, each in enumerate(candidates) if not each.left_out})
    _assign(recipe, candidates, [each.sample.patient for each in candidates])
    examine(recipe, [each for each in candidates if not each.left_out], console, notes)
    return alike_of(candidates, recipe.split)


def _assign(recipe: Recipe, candidates: Sequence[Candidate], units: Sequence[str]) -> None:
    usable = [index for index, each in enumerate(candidates) if not each.left_out]
    chosen = [candidates[index] for index in usable]
    names = assign([each.found for each in chosen], recipe.split, [units[i] for i in usable])
    for each, name in zip(chosen, names, strict=True):
        each.split = name
    if recipe.limit is None:
        return
    samples = [each.sample for each in chosen]
    labels, patients = [each.labels for each in samples], [each.patient for each in samples]
    kept = set(limit_patients(names, labels, patients, recipe.limit))
    for index, each in enumerate(chosen):
        each.left_out = "" if index in kept else "limit"


def use(
    recipe: Recipe,
    frozen: SplitFile,
    candidates: Sequence[Candidate],
    described: Sequence[SplitRow],
    console: Console,
    notes: list[str],
) -> tuple[Alike, Matched]:
    """Take the splits from a file, and read the images, also those that the file does not have.

    Returns
    -------
    tuple
        The pairs of images that are alike, and the rows of the images, to be compared.
    """
    matched = match(frozen, described)
    for each, row in zip(candidates, matched.rows, strict=True):
        if row is not None:
            each.left_out = row.left_out
            each.split = next((name for name in SPLITS if name == row.split), "")
    examine(recipe, [each for each in candidates if each.left_out not in _UNREAD], console, notes)
    return alike_of(candidates, recipe.split), matched


def finish_rows(
    described: Sequence[SplitRow], candidates: Sequence[Candidate], alike: Alike
) -> tuple[SplitRow, ...]:
    """Add split, pixels and group to the description of each image."""
    groups = join_groups([each.pixels[:_DIGITS] for each in candidates], alike)
    return tuple(
        replace(row, split=each.split, left_out=each.left_out, pixels=each.pixels, group=group)
        for row, each, group in zip(described, candidates, groups, strict=True)
    )
