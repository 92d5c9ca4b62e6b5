"""Records on the screen: a table on a terminal, aligned text in a pipe, JSON for programs."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

Record = Mapping[str, object]

_GAP = "  "


def show_records(
    records: Sequence[Record], columns: Sequence[str], *, as_json: bool, nothing: str
) -> None:
    """Print records.

    Parameters
    ----------
    columns
        Keys to show as columns; JSON has all keys.
    nothing
        What to say on standard error where there is no record.
    """
    if as_json:
        print_json(list(records))
    elif not records:
        print(nothing, file=sys.stderr)
    else:
        print_table(columns, [[cell(record[key]) for key in columns] for record in records])


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """Print a table."""
    titles = [name.replace("_", " ") for name in columns]
    if sys.stdout.isatty():
        _print_rich(titles, rows, title)
        return
    if title:
        print(title)
    for row in (titles, *rows):
        print(_aligned(row, [titles, *rows]))


def print_record(record: Record, title: str = "") -> None:
    """Print one record, a line a value; what is empty is left out."""
    if title:
        print(title)
    shown = {key.replace("_", " "): cell(value) for key, value in record.items()}
    width = max(map(len, shown), default=0)
    for key, text in shown.items():
        if text:
            print(f"  {key:<{width}}  {text}")


def print_json(value: object) -> None:
    """Print any record or list of records as JSON."""
    print(json.dumps(value, indent=2, default=_plain, ensure_ascii=False))


def cell(value: object) -> str:
    """Write a value for people; control characters a peer may have sent are escaped."""
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


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _aligned(row: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(other[index]) for other in rows) for index in range(len(row))]
    return _GAP.join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip()


def _print_rich(titles: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD)
    for name in titles:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
