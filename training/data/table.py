"""Read CSV files strictly, with errors that name the line."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pacs_ai.errors import DataError

_DELIMITERS = ",;\t"
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

Row = Mapping[str, str]


def read_table(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, Row]]:
    """Read the rows of a CSV file with their line numbers.

    Parameters
    ----------
    path
        UTF-8, with a header line; separated by commas, semicolons or tabs.
    columns
        The required columns.

    Raises
    ------
    DataError
        If the file is missing, is not CSV, lacks a column, or has no rows.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header = file.readline()
            file.seek(0)
            delimiter = max(_DELIMITERS, key=header.count)
            reader = csv.DictReader(file, delimiter=delimiter, restval="")
            _check_header(path, reader.fieldnames or (), columns)
            rows = 0
            for rows, row in enumerate(reader, 1):  # noqa: B007 - counts
                yield reader.line_num, {key: (value or "").strip() for key, value in row.items()}
    except FileNotFoundError as error:
        raise DataError(f"no labels: {path} does not exist; the recipe names it") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path} cannot be read as CSV in UTF-8 ({type(error).__name__}); save a spreadsheet "
            "as CSV first"
        ) from error
    if not rows:
        raise DataError(f"{path} has a header and no rows")


def read_header(path: Path) -> tuple[str, ...]:
    """Return the names of the columns of a CSV file.

    Raises
    ------
    DataError
        As `read_table` does.
    """
    for _, row in read_table(path, ()):
        return tuple(row)
    return ()


def _check_header(path: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in header]
    if missing:
        raise DataError(
            f"{path} has no column {', '.join(map(repr, missing))}; it has: {', '.join(header)}. "
            "The recipe's section data says which column is which"
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
