"""Other data, on which a trained network is evaluated: all of them are test images."""

from collections.abc import Sequence

from rich.console import Console

from pacs_ai.errors import DataError
from training.data.build import Built, findings_of, refuse_one_class
from training.data.candidates import Candidate, alike_of, collect
from training.data.drawing import finish_rows
from training.data.examine import examine
from training.data.fingerprint import near_pairs
from training.data.leakage import KINDS, Kind, Leak, find_leaks
from training.data.learned import Learned, known_patient
from training.data.samples import TEST, TRAIN, Dataset, SplitName
from training.data.split import limit_patients
from training.data.split_file import SplitRow, describe
from training.recipe.recipe import Recipe

_SAID: dict[Kind, str] = {
    "same patient": "are of patients whom the model learned from",
    "same pixels": "have the pixels of images that the model learned from",
    "nearly the same": "are nearly the same as images that the model learned from",
}


def build_external(recipe: Recipe, console: Console, learned: Learned) -> Built:
    """Build a dataset of other data, all in the test split.

    Parameters
    ----------
    recipe
        The recipe of the run with other data. ``limit`` is the largest number of patients.
    console
        Where progress is shown.
    learned
        The training and validation images of the run. Images that are of the same patients, have
        the same pixels, or are nearly the same are refused, left out or reported, as
        ``split.leakage`` says.

    Raises
    ------
    DataError
        If data are missing, damaged or contradictory, have only one class, or are those that the
        model learned from.
    """
    collected = collect(recipe, console)
    candidates, notes = [Candidate(each, TEST) for each in collected.found], list(collected.notes)
    classes = tuple(entry.name for entry in recipe.classes)
    samples = [each.sample for each in candidates]
    refuse_one_class(samples, classes)
    if recipe.limit is not None:
        labels, patients = [each.labels for each in samples], [each.patient for each in samples]
        kept = set(limit_patients([TEST] * len(samples), labels, patients, recipe.limit))
        for index, each in enumerate(candidates):
            each.left_out = "" if index in kept else "limit"
        notes.append(f"limited to {recipe.limit} patients")
    examine(recipe, [each for each in candidates if not each.left_out], console, notes)
    described = [describe(sample, recipe.data.folder, classes) for sample in samples]
    notes += _leave_out_learned(recipe, candidates, described, learned)
    alike = alike_of(candidates, recipe.split)
    used = [each for each in candidates if not each.left_out]
    if not used:
        raise DataError("no image of the other data is left: the model learned from all of them")
    stays = [index for index, each in enumerate(candidates) if not each.left_out]
    pairs = alike.among({index: place for place, index in enumerate(stays)})
    findings = findings_of(recipe.split.leakage, (), used, pairs)
    test = tuple(each.sample for each in used)
    dataset = Dataset(classes, (), (), test, tuple(notes), collected.studies)
    pixels = {each.sample: each.pixels for each in used}
    return Built(dataset, findings, pixels, finish_rows(described, candidates, alike))


def _leave_out_learned(
    recipe: Recipe,
    candidates: Sequence[Candidate],
    described: Sequence[SplitRow],
    learned: Learned,
) -> list[str]:
    """Compare the images with those that the model learned from, and return notes.

    Raises
    ------
    DataError
        If there are any, and ``split.leakage`` refuses them.
    """
    places = [index for index, each in enumerate(candidates) if not each.left_out]
    prints = [shown for i in places if (shown := candidates[i].shown) is not None]
    patients = [known_patient(described[i]) for i in places] + list(learned.patients)
    # the first of the two splits is the one that leaks are left out of
    names: list[SplitName] = [TRAIN] * len(places) + [TEST] * len(learned.prints)
    near = near_pairs(
        [*prints, *learned.prints], recipe.split.near_bits, recipe.split.near_correlation
    )
    leaks = find_leaks(patients, names, [*prints, *learned.prints], near)
    said = _described(leaks, [described[i].file for i in places], learned.files)
    if said and recipe.split.leakage == "refuse":
        raise DataError(
            f"{'; '.join(said)}: no external test. Leave them out, or write [split] with "
            'leakage = "drop" into the file of --data'
        )
    done = "left out" if recipe.split.leakage == "drop" else "kept, as [split] says"
    for leak in leaks if recipe.split.leakage == "drop" else ():
        candidates[places[leak.drop]].left_out = "leakage"
    return [f"{each}: {done}" for each in said]


def _described(leaks: Sequence[Leak], files: Sequence[str], learned: Sequence[str]) -> list[str]:
    """Count leaks by kind, each with its first pair of files."""
    said = []
    for kind in KINDS:
        found = [leak for leak in leaks if leak.kind == kind]
        if found:
            pair = f"{files[found[0].drop]} and {learned[found[0].keep - len(files)]}"
            said.append(f"{len(found)} of {len(files)} images {_SAID[kind]} (the first: {pair})")
    return said
