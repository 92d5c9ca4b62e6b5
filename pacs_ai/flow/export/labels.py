"""The labels of exported studies: a table of original studies becomes one of their copies."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from pacs_ai.csv_file import read_table
from pacs_ai.errors import DataError

STUDY, LABEL = "study", "label"
_KEYS = frozenset((STUDY, "StudyInstanceUID"))
SEPARATOR = ";"
_PRESENT, _UNKNOWN = "1", "-1"
_FIXED = 3
"""Columns of the written table before those of the classes."""
_VALUES = ("", "0", _PRESENT, _UNKNOWN)

Labels = Mapping[str, Mapping[str, str]]
"""By study, as the table names it: the values of the other columns."""


def read_labels(path: Path) -> Labels:
    """Read a table of labels.

    Parameters
    ----------
    path
        CSV with a column ``study`` (row id or Study Instance UID) or ``StudyInstanceUID``, and a
        column ``label``, or one for each class with 1, 0, or -1 where it is uncertain.

    Raises
    ------
    DataError
        If it is not such a table, or names a study twice.
    """
    found: dict[str, dict[str, str]] = {}
    for line, row in read_table(path, []):
        keys = [row[name].strip() for name in row if name in _KEYS]
        if len(keys) != 1:
            raise DataError(f"{path}: there is no column {STUDY!r}")
        values = {
            name: (text or "").strip() for name, text in row.items() if name and name not in _KEYS
        }
        wrong = [name for name, text in values.items() if name != LABEL and text not in _VALUES]
        if not values or wrong:
            what = f"column {wrong[0]!r} has no 1, 0 or -1" if wrong else "there is no label"
            raise DataError(f"{path}, line {line}: {what}")
        if keys[0] in found:
            raise DataError(f"{path}, line {line}: the study has a label already")
        found[keys[0]] = values
    return found


def labels_table(studies: Iterable[tuple[str, str, Mapping[str, str]]]) -> str:
    """Write the labels of the copies as CSV.

    Parameters
    ----------
    studies
        Study Instance UID and name of the patient in the copy, and the values.

    Returns
    -------
    str
        Columns ``study``, ``patient``, ``label``, and one for each class. Without a label of its
        own a study has the names of the classes that are present. A class of which nothing is said
        of a study is uncertain.
    """
    rows = list(studies)
    names = sorted({name for _, _, values in rows for name in values if name != LABEL})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([STUDY, "patient", LABEL, *names])
    for uid, patient, values in rows:
        present = SEPARATOR.join(name for name in names if values.get(name) == _PRESENT)
        shown = values.get(LABEL, present)
        writer.writerow([uid, patient, shown, *(values.get(name, _UNKNOWN) for name in names)])
    return text.getvalue()


def data_section(table: str) -> str:
    """Return the section ``[data]`` of a recipe that reads the export."""
    names = next(csv.reader(io.StringIO(table)))[_FIXED:]
    columns = f"label_columns = {json.dumps(names)}" if names else f'label_column = "{LABEL}"'
    return (
        '[data]\nsource = "dicom"\nfolder = "images"\nunlabelled = "drop"\n'
        '\n[data.labels]\nkind = "table"\nfiles = [{ file = "labels.csv" }]\n'
        f'key = "StudyUID"\nkey_column = "{STUDY}"\n{columns}\n'
    )
