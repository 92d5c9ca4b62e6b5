"""Build a dataset: collect samples, read every image, split, check leakage, report."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import track

from pacs_ai.errors import DataError
from training.data.classes import Classes, Collected, CollectedSample
from training.data.dicom import collect_dicom, refuse_or_note
from training.data.fingerprint import Fingerprint, fingerprints, near_pairs
from training.data.leakage import Leak, find_leaks, refuse, tally
from training.data.phantom import collect_phantoms
from training.data.pictures import collect_pictures
from training.data.report import Findings, leak_note, write_leaks
from training.data.samples import SPLITS, Dataset, Sample, SplitName
from training.data.split import assign, join_groups, limit_patients
from training.recipe.data import DicomData, PhantomData
from training.recipe.recipe import Recipe

T = TypeVar("T")

_MASK = 2
_FEW = 2


@dataclass(frozen=True, slots=True)
class Built:
    """A dataset, its findings, and the SHA-256 of the pixels of each image."""

    dataset: Dataset
    findings: Findings
    pixels: dict[Sample, str]


def build(recipe: Recipe, console: Console, folder: Path | None = None) -> Built:
    """Build the dataset of a recipe.

    Parameters
    ----------
    recipe
        The recipe.
    console
        Where progress is shown.
    folder
        The folder for ``leakage.csv``, written if splits share images.

    Raises
    ------
    DataError
        If data are missing, damaged or contradictory, have only one class, or leak.
    """
    collected = _collect(recipe, console)
    classes, notes = tuple(entry.name for entry in recipe.classes), list(collected.notes)
    found = list(collected.found)
    _refuse_one_class(found, classes)
    names = assign(found, recipe.split, [image.sample.patient for image in found])
    if recipe.limit is not None:
        kept = limit_patients(found, names, recipe.limit)
        found, names = _pick(found, kept), _pick(names, kept)
        notes.append(f"limited to {recipe.limit} patients a split")
    kept, prints = _fingerprint_images(recipe, found, console, notes)
    found, names = _pick(found, kept), _pick(names, kept)
    samples = [image.sample for image in found]
    split = recipe.split
    near = list(near_pairs(prints, split.near_bits, split.near_correlation))
    if split.group == "near-duplicates":
        units = join_groups([sample.patient for sample in samples], [*_same(prints), *near])
        names = assign(found, split, units)
    leaks = find_leaks(samples, names, prints, near)
    if leaks and folder is not None:
        write_leaks(folder, leaks, samples)
    if split.leakage == "refuse":
        refuse(leaks, samples, split)
    findings = _findings(recipe, leaks, samples, names, prints)
    notes += [leak_note(each, classes, split.leakage) for each in findings.shared]
    dropped = {leak.drop for leak in leaks} if split.leakage == "drop" else set()
    kept = [index for index in range(len(samples)) if index not in dropped]
    dataset = _dataset(classes, _pick(samples, kept), _pick(names, kept), notes)
    _refuse_poor_splits(dataset)
    pixels = {sample: each.pixels for sample, each in zip(samples, prints, strict=True)}
    return Built(dataset, findings, pixels)


def _collect(recipe: Recipe, console: Console) -> Collected:
    data = recipe.data
    if isinstance(data, PhantomData):
        return collect_phantoms(data, console, recipe.limit)
    names = tuple(entry.name for entry in recipe.classes)
    classes = Classes(names, data.names, several=recipe.release.activation == "sigmoid")
    if isinstance(data, DicomData):
        return collect_dicom(data, recipe.input.modalities, classes)
    return collect_pictures(data, classes)


def _pick(items: Sequence[T], kept: Sequence[int]) -> list[T]:
    return [items[index] for index in kept]


def _fingerprint_images(
    recipe: Recipe, found: Sequence[CollectedSample], console: Console, notes: list[str]
) -> tuple[list[int], list[Fingerprint]]:
    """Read every image; leave out those that cannot be read, and masks."""
    samples = [image.sample for image in found]
    tracked = track(
        fingerprints(samples, recipe.input.windows, recipe.feeding.workers),
        "Reading every image",
        len(samples),
        console=console,
        transient=True,
    )
    prints = list(tracked)
    broken = [
        f"{sample.path} ({each.error})"
        for sample, each in zip(samples, prints, strict=True)
        if each.error
    ]
    policy = "refuse" if isinstance(recipe.data, PhantomData) else recipe.data.unreadable
    if broken:
        refuse_or_note(broken, policy, "cannot be read", notes)
    notes += _cautions(samples, prints)
    unmasked = isinstance(recipe.data, DicomData) and recipe.data.masks == "drop"
    masks = {i for i, each in enumerate(prints) if unmasked and each.levels <= _MASK}
    kept = [i for i, each in enumerate(prints) if not each.error and i not in masks]
    masked = len(prints) - len(kept) - len(broken)
    if masked:
        notes.append(f"{masked} images left out, they are masks")
    return kept, _pick(prints, kept)


def _cautions(samples: Sequence[Sample], prints: Sequence[Fingerprint]) -> Iterator[str]:
    """Count the images that cannot be displayed as their headers or the recipe ask."""
    named: dict[str, list[Path]] = defaultdict(list)
    for sample, each in zip(samples, prints, strict=True):
        for caution in each.cautions:
            named[caution].append(sample.path)
    for caution, paths in sorted(named.items()):
        yield f"{len(paths)} images: {caution} (the first: {paths[0]})"


def _same(prints: Sequence[Fingerprint]) -> Iterable[tuple[int, int]]:
    """Pair every image with the first image of the same pixels."""
    first: dict[str, int] = {}
    for index, each in enumerate(prints):
        if each.thumbnail is not None and first.setdefault(each.pixels, index) != index:
            yield first[each.pixels], index


def _findings(
    recipe: Recipe,
    leaks: Sequence[Leak],
    samples: Sequence[Sample],
    names: Sequence[SplitName],
    prints: Sequence[Fingerprint],
) -> Findings:
    labels: dict[str, set[tuple[int, ...]]] = defaultdict(set)
    for sample, each in zip(samples, prints, strict=True):
        labels[each.pixels].add(sample.labels)
    return Findings(
        leaks=leaks,
        policy=recipe.split.leakage,
        shared=tally(leaks, samples, names),
        duplicates=sum(names[a] == names[b] for a, b in _same(prints)),
        contradictions=sum(
            len(labels[each.pixels]) > 1 and each.thumbnail is not None for each in prints
        ),
        flat=sum(each.levels == 1 for each in prints),
    )


def _dataset(
    classes: tuple[str, ...],
    samples: Sequence[Sample],
    names: Sequence[SplitName],
    notes: Sequence[str],
) -> Dataset:
    parts = {
        split: tuple(s for s, name in zip(samples, names, strict=True) if name == split)
        for split in SPLITS
    }
    return Dataset(classes, parts["train"], parts["validation"], parts["test"], tuple(notes))


def _refuse_one_class(found: Sequence[CollectedSample], classes: Sequence[str]) -> None:
    """Refuse data without images, or with only one class.

    Raises
    ------
    DataError
        If there is no image, or all images are of one class.
    """
    labels = {image.sample.labels for image in found}
    if not labels:
        raise DataError("no image has a label; check data.where and data.names")
    if len(labels) < _FEW:
        (only,) = labels
        present = " and ".join(classes[index] for index in only) or "without any class"
        absent = ", ".join(name for i, name in enumerate(classes) if i not in only)
        raise DataError(
            f"one class only: all {len(found)} images are {present}, none is {absent}; "
            "check the labels, data.names and data.where"
        )


def _refuse_poor_splits(dataset: Dataset) -> None:
    """Refuse splits that are empty or of one class.

    Raises
    ------
    DataError
        Names the split.
    """
    for name in SPLITS:
        samples = dataset.split(name)
        if len({sample.labels for sample in samples}) < _FEW:
            patients = len({sample.patient for sample in samples})
            raise DataError(
                f"the {name} split holds {len(samples)} images of {patients} patients"
                f"{' and one class only' if samples else ''}: with so few patients give it a "
                "larger share (split.validation, split.test), another split.salt, or more data"
            )
    known = {index for sample in dataset.train for index in sample.labels}
    missing = [name for index, name in enumerate(dataset.classes) if index not in known]
    if missing:
        raise DataError(
            f"no image of {', '.join(missing)} is in the training split; another split.salt, more "
            "data, or a recipe without the class"
        )
