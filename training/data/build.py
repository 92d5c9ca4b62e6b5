"""Build a dataset: collect samples, split them or use their split, read every image, report."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from pacs_ai.errors import DataError
from training.data.candidates import Alike, Candidate, collect
from training.data.drawing import draw, finish_rows, use
from training.data.fingerprint import Fingerprint
from training.data.frozen import compare
from training.data.leakage import Leak, find_leaks, refuse, tally
from training.data.report import Findings, leak_note, write_leaks
from training.data.samples import SPLITS, Dataset, Sample
from training.data.split_file import SplitFile, SplitRow, describe, limited, read_split
from training.recipe.recipe import Recipe

_FEW = 2


@dataclass(frozen=True, slots=True)
class Built:
    """A dataset, its findings, the SHA-256 of the pixels of each image, and the rows of its split.

    ``rows`` are those of ``split.csv``, with the images that were left out; ``prints`` are the
    fingerprints of the images, None for those not read.
    """

    dataset: Dataset
    findings: Findings
    pixels: dict[Sample, str]
    rows: tuple[SplitRow, ...]
    prints: tuple[Fingerprint | None, ...] = ()


def build(
    recipe: Recipe, console: Console, folder: Path | None = None, frozen: SplitFile | None = None
) -> Built:
    """Build the dataset of a recipe.

    Parameters
    ----------
    recipe
        The recipe.
    console
        Where progress is shown.
    folder
        The folder for ``leakage.csv``, written if splits share images.
    frozen
        The split of a run. It is used as it is, with its limit; None draws the split, or imports
        the one that the recipe names.

    Raises
    ------
    DataError
        If data are missing, damaged or contradictory, have only one class, leak, or are not those
        that the split was written for.
    """
    collected = collect(recipe, console, frozen)
    candidates, notes = [Candidate(each) for each in collected.found], list(collected.notes)
    classes = tuple(entry.name for entry in recipe.classes)
    refuse_one_class([each.sample for each in candidates], classes)
    if recipe.limit is not None:
        notes.append(f"limited to {recipe.limit} patients a split")
    described = [describe(each.sample, recipe.data.folder, classes) for each in candidates]
    split = frozen if frozen is not None else _imported(recipe)
    if split is None:
        alike = draw(recipe, candidates, console, notes)
    else:
        alike, matched = use(recipe, split, candidates, described, console, notes)
        compare(split, matched, finish_rows(described, candidates, alike))
    findings = _leave_out_leaks(recipe, candidates, alike, folder)
    # the policy "refuse" has no leaks left but those that an imported split left out
    policy = "report" if recipe.split.leakage == "report" else "drop"
    notes += [leak_note(each, classes, policy) for each in findings.shared]
    dataset = replace(_dataset(classes, candidates, notes), studies=collected.studies)
    _refuse_poor_splits(dataset)
    pixels = {each.sample: each.pixels for each in candidates if each.pixels}
    rows = finish_rows(described, candidates, alike)
    return Built(dataset, findings, pixels, rows, tuple(each.shown for each in candidates))


def _imported(recipe: Recipe) -> SplitFile | None:
    if recipe.split.file is None:
        return None
    split = read_split(recipe.split.file)
    return split if recipe.limit is None else limited(split, recipe.limit)


def _leave_out_leaks(
    recipe: Recipe, candidates: Sequence[Candidate], alike: Alike, folder: Path | None
) -> Findings:
    """Find leaks, and refuse them or leave them out, as the recipe says.

    Raises
    ------
    DataError
        If there are leaks and the recipe refuses them.
    """
    split = recipe.split
    places = [i for i, each in enumerate(candidates) if each.left_out in ("", "leakage")]
    usable = [candidates[index] for index in places]
    samples = [each.sample for each in usable]
    names = [each.split for each in usable if each.split]
    prints = [each.shown for each in usable if each.shown is not None]
    pairs = alike.among({index: place for place, index in enumerate(places)})
    leaks = find_leaks([sample.patient for sample in samples], names, prints, pairs.near)
    new = [leak for leak in leaks if not usable[leak.drop].left_out]
    if new and folder is not None:
        write_leaks(folder, leaks, samples)
    if split.leakage == "refuse":
        refuse(new, samples, split)
    for leak in new if split.leakage == "drop" else ():
        usable[leak.drop].left_out = "leakage"
    return findings_of(split.leakage, leaks, usable, pairs)


def findings_of(
    policy: str, leaks: Sequence[Leak], usable: Sequence[Candidate], alike: Alike
) -> Findings:
    """Count what was found about images.

    Parameters
    ----------
    policy
        What happens to leaks.
    leaks, alike
        Leaks and pairs of images, by index in ``usable``.
    usable
        The images that can be used, before leaks are left out.
    """
    labels: dict[str, set[tuple[int, ...]]] = defaultdict(set)
    for each in usable:
        labels[each.pixels].add(each.sample.labels)
    shown = [each.shown for each in usable if each.shown is not None]
    names = [each.split for each in usable if each.split]
    return Findings(
        leaks=leaks,
        policy=policy,
        shared=tally(leaks, [each.sample for each in usable], names),
        duplicates=sum(names[a] == names[b] for a, b in alike.same),
        contradictions=sum(
            len(labels[each.pixels]) > 1 and each.thumbnail is not None for each in shown
        ),
        flat=sum(each.levels == 1 for each in shown),
    )


def _dataset(
    classes: tuple[str, ...], candidates: Sequence[Candidate], notes: Sequence[str]
) -> Dataset:
    used = [each for each in candidates if not each.left_out]
    parts = {name: tuple(each.sample for each in used if each.split == name) for name in SPLITS}
    return Dataset(classes, parts["train"], parts["validation"], parts["test"], tuple(notes))


def refuse_one_class(found: Sequence[Sample], classes: Sequence[str]) -> None:
    """Refuse data without images, or with only one class.

    Raises
    ------
    DataError
        If there is no image, or all images are of one class.
    """
    labels = {sample.labels for sample in found}
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
