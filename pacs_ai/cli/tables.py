"""Records on the screen: a table on a terminal, aligned text in a pipe, JSON for programs."""

import json
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

Record = Mapping[str, object]

PIPE_WIDTH = 100
"""Width of output that does not go to a terminal, unless COLUMNS is set."""

_LONG = 100
"""Longest text in a listing, in characters; commands that show one row print all of it."""

_SHORT = 19
"""Longest text that is never wrapped, in characters; a date with its time fits."""

_UNLIMITED = 10_000
_NARROWEST = 12
_LEGIBLE = 36
"""Screen columns that the last text needs beside the others; with fewer it goes below its row."""

_INDENT = "    "
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def show_records(
    records: Sequence[Record], columns: Sequence[str], *, as_json: bool, nothing: str
) -> None:
    """Print records; no value is cut or wrapped.

    Parameters
    ----------
    columns
        Keys to show as columns; JSON has all keys.
    nothing
        Printed on standard error if there is no record.
    """
    if as_json:
        print_json(list(records))
    elif not records:
        print(nothing, file=sys.stderr)
    else:
        _print_rows(records, columns)


def show_lines(lines: Sequence[Record], *, nothing: str, whole: Collection[str] = ()) -> None:
    """Print a list that fits the screen, in a pipe too; long texts are cut.

    Parameters
    ----------
    lines
        Records with the same keys, which are the columns.
    nothing
        Printed on standard error if there is no line.
    whole
        Columns whose texts are not cut.
    """
    if not lines:
        print(nothing, file=sys.stderr)
        return
    _print_rows(
        [
            {key: value if key in whole else _shortened(value) for key, value in line.items()}
            for line in lines
        ],
        list(lines[0]),
        fit=True,
    )


def _print_rows(
    records: Sequence[Record], columns: Sequence[str], title: str = "", *, fit: bool = False
) -> None:
    """Print records as a table; the head of a column with times has their zone."""
    heads = [
        f"{key} (UTC)" if any(isinstance(record[key], datetime) for record in records) else key
        for key in columns
    ]
    rows = [[cell(record[key]) for key in columns] for record in records]
    print_table(heads, rows, title, fit=fit)


def screen_width() -> int:
    """Return how many columns a line may have."""
    return shutil.get_terminal_size((PIPE_WIDTH, 24)).columns


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "", *, fit: bool = False
) -> None:
    """Print a table; if it does not fit, the widest columns are wrapped.

    If too little room is left for the text in the last column, or for one of its words (a UID),
    that text goes below each row.

    Parameters
    ----------
    columns
        Names of the columns; ``_`` is shown as a space.
    fit
        Wrap in a pipe too. Without it, values in a pipe are not wrapped.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout.isatty()
    sizes = _sizes(columns, rows)
    rest = screen_width() - sum(sizes[:-1]) - 2 * len(sizes)
    words = [len(word) for row in rows for word in row[-1].split()]
    if (fit or terminal) and rest < min(max([_LEGIBLE, *words]), sizes[-1]):
        _print_below(columns, rows, title)
        return
    table = Table(
        title=title or None,
        title_justify="left",
        box=box.SIMPLE_HEAD if terminal else None,
        pad_edge=terminal,
        padding=(0, 2, 0, 0),
    )
    for index, name in enumerate(columns):
        short = all(len(row[index]) <= _SHORT for row in rows)
        table.add_column(name.replace("_", " "), overflow="fold", no_wrap=short)
    for row in rows:
        table.add_row(*map(Text, row))
    _print_rich(table, screen_width() if fit or terminal else _UNLIMITED)


def _sizes(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Return how many columns of the screen each column of a table needs."""
    from rich.cells import cell_len

    return [max(map(cell_len, column)) for column in zip(columns, *rows, strict=True)]


def _print_below(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    """Print the last value of each row below the others, as wide as the screen."""
    from rich.cells import cell_len, set_cell_size

    width = screen_width()
    sizes = _sizes(columns, rows)[:-1]
    while sum(sizes) + 2 * (len(sizes) - 1) > width and max(sizes) > _NARROWEST:
        sizes[sizes.index(max(sizes))] -= 1
    if title:
        print(title)
    for row in ([name.replace("_", " ") for name in columns], *rows):
        cut = [
            text if cell_len(text) <= size else set_cell_size(text, size - 1) + "…"
            for text, size in zip(row, sizes, strict=False)
        ]
        cells = [set_cell_size(text, size) for text, size in zip(cut, sizes, strict=True)]
        print("  ".join(cells).rstrip())
        for line in wrapped(row[-1], width - len(_INDENT)):
            print(_INDENT + line)


def wrapped(text: str, width: int) -> list[str]:
    """Break a text into lines; a wide character takes two columns."""
    from rich.console import Console
    from rich.text import Text

    width = max(width, _NARROWEST)
    lines = Text(text).wrap(Console(width=width), width)
    return [line.plain.rstrip() for line in lines if line.plain.strip()]


def _print_rich(table: object, width: int) -> None:
    """Print without trailing spaces: rich fills every cell."""
    from rich.console import Console

    console = Console(width=width)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        print(line.rstrip())


def _shortened(value: object) -> object:
    text = cell(value)
    return value if len(text) <= _LONG else text[: _LONG - 1] + "…"


def print_record(record: Record, title: str = "", *, fit: bool = False) -> None:
    """Print one record, one value after the other; empty values are left out.

    Parameters
    ----------
    fit
        Wrap in a pipe too. Without it, values in a pipe are not wrapped.
    """
    if title:
        print(title)
    shown = {
        key.replace("_", " "): with_zone(value) if isinstance(value, datetime) else cell(value)
        for key, value in record.items()
    }
    width = max(map(len, shown), default=0)
    room = max(screen_width() - width - 4, _NARROWEST) if fit or sys.stdout.isatty() else _UNLIMITED
    for key, text in shown.items():
        for number, part in enumerate(wrapped(text, room)):
            print(f"  {'' if number else key:<{width}}  {part}")


def print_part(name: str, columns: Sequence[str], rows: object, *, fit: bool = False) -> None:
    """Print one list of a record as a table below it; nothing if it is empty."""
    if isinstance(rows, list) and rows:
        print()
        _print_rows(rows, columns, name.replace("_", " "), fit=fit)


def print_json(value: object) -> None:
    """Print any record or list of records as JSON."""
    print(json.dumps(value, indent=2, default=_plain, ensure_ascii=False))


def cell(value: object) -> str:
    """Format a value for people; control characters that a peer sent are escaped.

    A time is UTC, and does not say so: the head of its column does. Elsewhere: `with_zone`.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(cell, value))
    text = str(value)
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def with_zone(value: datetime) -> str:
    """Format a time that stands in no column: ``2026-01-31 12:00:00 UTC``."""
    return f"{cell(value)} UTC"


def ago(span: timedelta) -> str:
    """Format a span of time with its two largest units: ``3 d 4 h``, ``12 min``, ``5 s``."""
    seconds = max(int(span.total_seconds()), 0)
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min"
    if seconds < _DAY:
        return f"{seconds // _HOUR} h {seconds % _HOUR // _MINUTE} min"
    return f"{seconds // _DAY} d {seconds % _DAY // _HOUR} h"


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)
