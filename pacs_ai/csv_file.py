"""Read CSV files strictly, with errors that name the line."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pacs_ai.errors import DataError

_DELIMITERS = ",;\t"

Row = Mapping[str, str]


def read_table(path: Path, columns: Sequence[str], remedy: str = "") -> Iterator[tuple[int, Row]]:
    """Read the rows of a CSV file with their line numbers; rows without any text are left out.

    Parameters
    ----------
    path
        UTF-8, with a header line; separated by commas, semicolons or tabs.
    columns
        The required columns.
    remedy
        A sentence for the error about a missing column.

    Raises
    ------
    DataError
        If the file is missing, is not CSV, lacks a column, or has no rows; if a row has text beyond
        the last column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header = file.readline()
            file.seek(0)
            delimiter = max(_DELIMITERS, key=header.count)
            reader: csv.DictReader[Any] = csv.DictReader(file, delimiter=delimiter, restval="")
            _check_header(path, reader.fieldnames or (), columns, remedy)
            empty = True
            for row in reader:
                if cells := _cells(row, f"{path}, line {reader.line_num}"):
                    empty = False
                    yield reader.line_num, cells
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist: it is to hold the labels") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path} cannot be read as CSV in UTF-8 ({type(error).__name__}); save a spreadsheet "
            "as CSV first"
        ) from error
    if empty:
        raise DataError(f"{path} has no rows below a header")


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


def _cells(row: dict[str | None, str | list[str]], where: str) -> Row:
    """Return the cells by column; none for the empty row that a spreadsheet leaves at the end."""
    beyond = row.pop(None, [])
    if any(cell.strip() for cell in beyond):
        raise DataError(f"{where}: there are more cells than columns; quote cells with commas")
    cells = {str(key): str(value).strip() for key, value in row.items()}
    return cells if any(cells.values()) else {}


def _check_header(path: Path, header: Sequence[str], columns: Sequence[str], remedy: str) -> None:
    missing = [name for name in columns if name not in header]
    if missing:
        raise DataError(
            f"{path} has no column {', '.join(map(repr, missing))}; it has: {', '.join(header)}"
            + (f". {remedy}" if remedy else "")
        )
