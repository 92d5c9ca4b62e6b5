"""Labels in one column of text, or in one column of 1, 0 and -1 for each class."""

from dataclasses import dataclass
from pathlib import Path

from pacs_ai.csv_file import Row, read_header
from pacs_ai.errors import DataError
from training.data.classes import Classes
from training.data.labels import split_names
from training.recipe.data import PictureData

_PRESENT, _ABSENT, _UNCERTAIN = 1.0, 0.0, -1.0

Names = tuple[tuple[str, ...], tuple[str, ...]]
"""The labels of a row, and those that are uncertain."""


@dataclass(frozen=True, slots=True)
class LabelColumns:
    """Where the labels of a row are; ``each`` says that every column is a label of its own."""

    data: PictureData
    columns: tuple[str, ...]
    each: bool

    def names(self, row: Row, origin: str) -> Names:
        """Read the labels of a row.

        Raises
        ------
        DataError
            If a value is none of 1, 0, -1 and empty, or the one label is empty; names the place.
        """
        if not self.each:
            return split_names(row[self.columns[0]], self.data.separator, origin), ()
        values = {name: _value(row[name], f"{origin}, column {name!r}") for name in self.columns}
        present = [name for name, value in values.items() if value == _PRESENT]
        uncertain = [name for name, value in values.items() if value == _UNCERTAIN]
        if self.data.uncertain == "positive":
            present, uncertain = [*present, *uncertain], []
        elif self.data.uncertain == "negative":
            uncertain = []
        return tuple(present), tuple(uncertain)


def columns_of(data: PictureData, table: Path, classes: Classes) -> LabelColumns:
    """Find the columns of labels: those of the recipe, or those named like the classes.

    Parameters
    ----------
    data
        The section of the recipe.
    table
        The labels file.
    classes
        The classes of the recipe.

    Raises
    ------
    DataError
        If labels may be uncertain and the classes exclude each other, or the file cannot be read.
    """
    if data.label_columns:
        return LabelColumns(data, data.label_columns, each=True)
    header = read_header(table)
    known = tuple(name for name in header if classes.knows(name))
    if data.label_column not in header and known:
        return LabelColumns(data, known, each=True)
    return LabelColumns(data, (data.label_column,), each=False)


def _value(text: str, origin: str) -> float:
    try:
        value = float(text or 0)
    except ValueError:
        value = float("nan")
    if value not in (_PRESENT, _ABSENT, _UNCERTAIN):
        raise DataError(f"{origin}: {text!r} is none of 1, 0, -1 (uncertain) and empty")
    return value
