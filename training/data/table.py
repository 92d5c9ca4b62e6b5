"""Read CSV files strictly, with errors that name the line."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pacs_ai import csv_file
from pacs_ai.csv_file import Row
from pacs_ai.errors import DataError

_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
"""Common names of the splits."""


def read_table(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, Row]]:
    """Read the rows of a CSV file; see `pacs_ai.csv_file.read_table`."""
    return csv_file.read_table(
        path, columns, "The recipe's section data says which column is which"
    )


def split_name(text: str, where: str) -> str:
    """Return the name of a split, "" for none.

    Raises
    ------
    DataError
        If the name is unknown; ``where`` is the place for the message.
    """
    if not text:
        return ""
    try:
        return _SPLITS[text.strip().lower()]
    except KeyError as error:
        raise DataError(
            f"{where}: {text!r} is not a split; write train, validation or test"
        ) from error


def is_split(name: str) -> bool:
    """Tell whether a word is a common name of a split."""
    return name.strip().lower() in _SPLITS
