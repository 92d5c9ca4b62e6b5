"""The truth of an acceptance test: a table with a row for each study."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pacs_ai.csv_file import read_table
from pacs_ai.dicom.age import age_group
from pacs_ai.domain import ModelIdentity
from pacs_ai.errors import DataError

Key = Literal["study", "accession", "path"]

_KEYS: Mapping[str, Key] = {
    "study": "study",
    "studyuid": "study",
    "studyinstanceuid": "study",
    "accession": "accession",
    "accessionnumber": "accession",
    "path": "path",
    "folder": "path",
    "file": "path",
}
_LABELS = ("label", "labels", "truth", "class", "classes", "finding", "findings")
GROUPS = ("scanner", "sex", "age", "sender")
"""Subgroups. A column of this name takes the place of what the files say."""
SEXES = {"M": "male", "F": "female"}

_YES = frozenset({"1", "1.0", "yes", "true", "positive", "present"})
_NO = frozenset({"0", "0.0", "no", "false", "negative", "absent"})
_SEPARATORS = ("|", ";")


@dataclass(frozen=True, slots=True)
class Row:
    """What the table says of a study.

    ``key`` and ``value`` say which study it is: its Study Instance UID, its accession number, or
    its path below the folder of cases. ``truth`` has one value for each class of the model.
    ``patient`` is "" if the table does not say; ``groups`` has the subgroups that it names.
    """

    line: int
    key: Key
    value: str
    truth: tuple[bool, ...]
    patient: str = ""
    groups: Mapping[str, str] = field(default_factory=dict)


def read_truth(path: Path, model: ModelIdentity) -> list[Row]:
    """Read the table.

    Parameters
    ----------
    path
        CSV with a header. One column names the study: ``study_instance_uid``, ``accession`` or
        ``path``. Either a column ``label`` has the name of a class (several are separated by ``|``;
        for a model with one finding also 1 or 0), or a column for each class has 1 or 0. Columns
        ``patient``, ``scanner``, ``sex``, ``age`` and ``sender`` may follow.
    model
        Has the classes.

    Raises
    ------
    DataError
        If the table cannot be read, or a row does not say which study it is or what is true of it.
    """
    rows, seen = [], set[tuple[str, str]]()
    for line, cells in read_table(path, ()):
        where = f"{path}, line {line}"
        named = {_plain(name): value for name, value in cells.items() if name}
        key, value = _key(named, where)
        if (key, value) in seen:
            raise DataError(f"{where}: the study is in the table already")
        seen.add((key, value))
        truth = _truth(named, model, where)
        groups = {name: _group(name, named[name]) for name in GROUPS if named.get(name)}
        patient = named.get("patient") or named.get("patientid") or ""
        rows.append(Row(line, key, value, truth, patient, groups))
    return rows


def _group(name: str, value: str) -> str:
    """Return the subgroup of a cell: an age in years and M or F as the files would give them."""
    if name == "sex":
        return SEXES.get(value.upper(), value)
    if name == "age" and value.isdecimal():
        return age_group(int(value))
    return value


def _plain(name: str) -> str:
    return name.strip().casefold().replace("_", "").replace(" ", "")


def _key(cells: Mapping[str, str], where: str) -> tuple[Key, str]:
    for name, key in _KEYS.items():
        if cells.get(name):
            return key, cells[name]
    raise DataError(f"{where}: no study_instance_uid, accession or path says which study it is")


def _truth(cells: Mapping[str, str], model: ModelIdentity, where: str) -> tuple[bool, ...]:
    columns = [_plain(entry.name) for entry in model.classes]
    label = next((name for name in _LABELS if name in cells and name not in columns), None)
    if label is not None:
        return _of_label(cells[label], model, where)
    missing = [
        entry.name
        for entry, name in zip(model.classes, columns, strict=True)
        if entry.positive and name not in cells
    ]
    if missing:
        raise DataError(f"{where}: there is neither a column label nor one for {missing[0]!r}")
    said = [
        _yes_or_no(cells[name], f"{where}, column {entry.name!r}") if name in cells else None
        for entry, name in zip(model.classes, columns, strict=True)
    ]
    return _whole(said, model, where)


def _of_label(text: str, model: ModelIdentity, where: str) -> tuple[bool, ...]:
    """Read the names of classes, or 1 or 0 for the only finding."""
    findings = [index for index, entry in enumerate(model.classes) if entry.positive]
    names = [_plain(entry.name) for entry in model.classes]
    for separator in _SEPARATORS:
        text = text.replace(separator, _SEPARATORS[0])
    given = [_plain(part) for part in text.split(_SEPARATORS[0]) if part.strip()]
    if len(given) == 1 and len(findings) == 1 and given[0] in _YES | _NO and given[0] not in names:
        return _whole(
            [given[0] in _YES if index in findings else None for index in range(len(names))],
            model,
            where,
        )
    if not given:
        raise DataError(f"{where}: the label is empty; remove the row, or say what is true")
    unknown = [part for part in given if part not in names]
    if unknown:
        known = ", ".join(entry.name for entry in model.classes)
        raise DataError(f"{where}: {text!r} is none of the classes {known}")
    return _whole([name in given for name in names], model, where)


def _yes_or_no(text: str, where: str) -> bool:
    word = text.strip().casefold()
    if word not in _YES | _NO:
        raise DataError(f"{where}: {text!r} is neither 1 nor 0")
    return word in _YES


def _whole(said: Sequence[bool | None], model: ModelIdentity, where: str) -> tuple[bool, ...]:
    """Complete what is true: a class that is no finding is true where no finding is."""
    found = any(
        one for one, entry in zip(said, model.classes, strict=True) if entry.positive and one
    )
    truth = tuple(not found if one is None else one for one in said)
    several = sum(entry.positive for entry in model.classes) > 1
    if model.activation == "softmax" and sum(truth) != 1 and not (several and sum(truth)):
        raise DataError(f"{where}: the classes exclude each other, and {sum(truth)} are true")
    return truth
