"""The labels of a row: in one column of text, or in one column of 1, 0 and -1 for each class.

True and false, in any case, are 1 and 0: tables of data frames have them.
"""

from dataclasses import dataclass

from pacs_ai.csv_file import Row
from pacs_ai.errors import DataError
from training.recipe.label_tables import Uncertain

_PRESENT, _ABSENT, _UNCERTAIN = 1.0, 0.0, -1.0
_WORDS = {"": _ABSENT, "false": _ABSENT, "true": _PRESENT}

Names = tuple[tuple[str, ...], tuple[str, ...]]
"""The labels of a row, and those that are uncertain."""


@dataclass(frozen=True, slots=True)
class LabelColumns:
    """Where the labels of a row are; ``each`` says that every column is a label of its own."""

    columns: tuple[str, ...]
    each: bool
    separator: str
    uncertain: Uncertain

    def names(self, row: Row, origin: str) -> Names:
        """Read the labels of a row.

        Raises
        ------
        DataError
            If a value is none of these and not empty, or the one label is empty; names the place.
        """
        if not self.each:
            return split_names(row[self.columns[0]], self.separator, origin), ()
        values = {name: _value(row[name], f"{origin}, column {name!r}") for name in self.columns}
        present = [name for name, value in values.items() if value == _PRESENT]
        uncertain = [name for name, value in values.items() if value == _UNCERTAIN]
        if self.uncertain == "positive":
            present, uncertain = [*present, *uncertain], []
        elif self.uncertain == "negative":
            uncertain = []
        return tuple(present), tuple(uncertain)


def split_names(text: str, separator: str, origin: str) -> tuple[str, ...]:
    """Split the text of a label into names.

    Raises
    ------
    DataError
        If the label is empty and there is no separator.
    """
    if separator:
        return tuple(name.strip() for name in text.split(separator) if name.strip())
    if not text:
        raise DataError(f"{origin}: the label is empty; fill it in or delete the row")
    return (text,)


def _value(text: str, origin: str) -> float:
    try:
        value = _WORDS[text.lower()] if text.lower() in _WORDS else float(text)
    except ValueError:
        value = float("nan")
    if value not in (_PRESENT, _ABSENT, _UNCERTAIN):
        raise DataError(
            f"{origin}: {text!r} is none of 1, 0, -1 (uncertain), true, false and empty"
        )
    return value
