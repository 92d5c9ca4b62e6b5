"""Assign images to splits by patient: stratified by class and drawn by hash, or as given."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence

from pacs_ai.errors import DataError
from training.data.classes import CollectedSample
from training.data.samples import SPLITS, TEST, TRAIN, VALIDATION, SplitName
from training.recipe.data import Split
from training.recipe.selection import hash_rank

_NO_CLASS = -1


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
    if split.folds:
        drawn = draw_fold(_classes_of(found, units), split)
        return [drawn[unit] for unit in units]
    if split.by == "hash":
        train = 1 - split.validation - split.test
        shares = {TRAIN: train, TEST: split.test, VALIDATION: split.validation}
        drawn = stratify(_classes_of(found, units), shares, split.salt)
        return [drawn[unit] for unit in units]
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
    return _with_validation(found, split, units)


def _with_validation(
    found: Sequence[CollectedSample], split: Split, units: Sequence[str]
) -> list[SplitName]:
    """Draw a validation split from the training split if none is given."""
    named: list[SplitName] = [name for image in found for name in SPLITS if name == image.given]
    if VALIDATION in named:
        return named
    learnt = [index for index, name in enumerate(named) if name == TRAIN]
    classes = _classes_of([found[i] for i in learnt], [units[i] for i in learnt])
    drawn = stratify(
        classes, {TRAIN: 1 - split.validation, VALIDATION: split.validation}, split.salt
    )
    return [drawn[unit] if name == TRAIN else name for name, unit in zip(named, units, strict=True)]


def draw_fold(classes: Mapping[str, frozenset[int]], split: Split) -> dict[str, SplitName]:
    """Divide units into folds, and make one of them the test split.

    Parameters
    ----------
    classes
        The classes of each unit, at least one.
    split
        The number of folds, the fold that is the test split (0: the first), and the share of the
        others that is the validation split.

    Returns
    -------
    dict
        The split of each unit. Over all folds each unit is in one test split.
    """
    rest, test = dict(classes), frozenset[str]()
    for number in range(1, max(1, split.fold) + 1):
        share = 1 / (split.folds - number + 1)
        drawn = stratify(rest, {TEST: share, TRAIN: 1 - share}, split.salt)
        test = frozenset(unit for unit, name in drawn.items() if name == TEST)
        rest = {unit: those for unit, those in rest.items() if unit not in test}
    others = {unit: those for unit, those in classes.items() if unit not in test}
    shares: dict[SplitName, float] = {TRAIN: 1 - split.validation, VALIDATION: split.validation}
    return stratify(others, shares, split.salt) | dict.fromkeys(test, TEST)


def _classes_of(
    found: Sequence[CollectedSample], units: Sequence[str]
) -> dict[str, frozenset[int]]:
    """Return the classes of each unit; images without any class count as one more class."""
    classes: dict[str, set[int]] = defaultdict(set)
    for image, unit in zip(found, units, strict=True):
        classes[unit].update(image.sample.labels or (_NO_CLASS,))
    return {unit: frozenset(those) for unit, those in classes.items()}


def stratify(
    classes: Mapping[str, frozenset[int]], shares: Mapping[SplitName, float], salt: str = ""
) -> dict[str, SplitName]:
    """Divide units so that the units of each class have the given shares.

    Parameters
    ----------
    classes
        The classes of each unit, at least one.
    shares
        The share of each split, with the sum 1. If a class has few units, the first splits get one
        of them first.
    salt
        Changes the order in which units are taken, which is by hash.

    Returns
    -------
    dict
        The split of each unit. It depends on nothing but the arguments.

    Notes
    -----
    Iterative stratification (Sechidis, Tsoumakas, Vlahavas, 2011): the rarest class is divided
    first, and its units go to the splits that lack most of the class.
    """
    order = sorted(classes, key=lambda unit: hash_rank(unit, salt))
    members: dict[int, list[str]] = defaultdict(list)
    for unit in order:
        for index in classes[unit]:
            members[index].append(unit)
    lacking = {index: _wanted(len(those), shares) for index, those in members.items()}
    total = _wanted(len(order), shares)
    drawn: dict[str, SplitName] = {}
    while len(drawn) < len(order):
        index, left = min(
            ((index, [u for u in those if u not in drawn]) for index, those in members.items()),
            key=lambda each: (not each[1], len(each[1]), each[0]),
        )
        for unit, name in zip(left, _deal(len(left), lacking[index], total), strict=True):
            drawn[unit] = name
            for each in classes[unit]:
                lacking[each][name] -= 1
            total[name] -= 1
    return drawn


def _deal(
    units: int, lacking: Mapping[SplitName, float], total: Mapping[SplitName, float]
) -> list[SplitName]:
    """Give each unit in turn to the split that lacks most; list the splits one after the other.

    So a unit more or less moves few others to another split.
    """
    short, few = dict(lacking), dict(total)
    dealt: list[SplitName] = []
    for _ in range(units):
        name = max(short, key=lambda split: (short[split], few[split]))
        short[name] -= 1
        few[name] -= 1
        dealt.append(name)
    return sorted(dealt, key=SPLITS.index, reverse=True)


def _wanted(units: int, shares: Mapping[SplitName, float]) -> dict[SplitName, float]:
    """Return how many units of a class each split shall have: at least one while there are any."""
    used = [name for name, share in shares.items() if share > 0]
    least = dict.fromkeys(used[:units], 1.0)
    spare = units - len(least)
    wanted = {name: share * units for name, share in shares.items()}
    over = {name: max(0.0, wanted[name] - least.get(name, 0.0)) for name in shares}
    scale = spare / sum(over.values()) if spare else 0.0
    return {name: least.get(name, 0.0) + scale * over[name] for name in shares}


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
    names: Sequence[str], labels: Sequence[Hashable], patients: Sequence[str], limit: int
) -> list[int]:
    """Choose at most ``limit`` patients of each split, taking turns between labels.

    Parameters
    ----------
    names, labels, patients
        The split, the labels and the patient of each image.

    Returns
    -------
    list of int
        Indices of the images that stay, in order.
    """
    queues: dict[tuple[str, Hashable], list[str]] = defaultdict(list)
    for name, label, patient in zip(names, labels, patients, strict=True):
        queues[name, label].append(patient)
    kept: dict[str, dict[str, None]] = {name: {} for name in names}
    for name, chosen in kept.items():
        lists = [
            sorted(set(who), key=hash_rank)
            for (of, _), who in sorted(queues.items(), key=lambda each: repr(each[0]))
            if of == name
        ]
        for turn in range(max(map(len, lists), default=0)):
            for who in lists:
                if turn < len(who) and len(chosen) < limit:
                    chosen.setdefault(who[turn])
    return [
        index
        for index, (name, patient) in enumerate(zip(names, patients, strict=True))
        if patient in kept[name]
    ]
