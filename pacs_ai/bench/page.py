"""The figures as a page: text, HTML without anything from elsewhere, and JSON."""

import re
from collections.abc import Iterable, Sequence
from html import escape

from pacs_ai.bench.book import STAGES, Book

TITLE = "pacs-ai bench site"
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;margin:1em 0}"
    "th,td{padding:.25em .8em;border-bottom:1px solid #ccc;text-align:left}"
    "td.n{text-align:right;font-variant-numeric:tabular-nums}"
    "caption{text-align:left;font-weight:600}"
)
_NUMBER = re.compile(r"\d[\d,]*(\.\d)?")

Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]
"""Caption, names of the columns, rows."""


def tables(book: Book) -> list[Table]:
    """Return all tables of the page."""
    stages = [
        (stage, *(f"{value:,.1f}" for value in values), STAGES[stage])
        for stage, values in book.percentiles().items()
    ]
    measured_on = {
        **book.machine,
        "model": book.model,
        "runtime": book.runtime,
        "sent": book.sent,
    }
    memory = {name: f"{peak:,.0f}" for name, peak in book.peak_mb.items()}
    return [
        ("Measured on", ("what", "is"), [*measured_on.items()]),
        (
            f"{len(book.studies):,} studies, one after another",
            ("stage", "p50 ms", "p95 ms", "p99 ms", "what it is"),
            stages,
        ),
        (
            f"{book.burst.studies:,} studies at once",
            ("rate", "is"),
            [(name, f"{value:,.0f}") for name, value in book.rates().items()],
        ),
        ("Largest memory", ("process", "MB"), [*(memory or {"not known here": ""}).items()]),
    ]


def as_text(book: Book) -> str:
    """Write the page for a terminal."""
    lines = [f"{TITLE}, {book.at:%Y-%m-%d %H:%M} UTC"]
    for caption, columns, rows in tables(book):
        widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
        lines += ["", caption, *(_aligned(row, widths) for row in (columns, *rows))]
    return "\n".join(lines) + "\n"


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.rjust(width) if _is_number(cell) else cell.ljust(width)
        for cell, width in zip(row, widths, strict=True)
    ]
    return ("  " + "  ".join(cells)).rstrip()


def as_html(book: Book) -> str:
    """Write the page as one HTML file."""
    parts = [_html_table(*table) for table in tables(book)]
    head = f'<meta charset="utf-8"><title>{TITLE}</title><style>{_STYLE}</style>'
    body = f"<h1>{TITLE}</h1><p>{book.at:%Y-%m-%d %H:%M} UTC</p>{''.join(parts)}"
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>{body}</body></html>\n'


def _html_table(caption: str, columns: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in rows)
    return f"<table><caption>{escape(caption)}</caption>\n<tr>{head}</tr>\n{body}</table>\n"


def _cell(text: str) -> str:
    kind = ' class="n"' if _is_number(text) else ""
    return f"<td{kind}>{escape(text)}</td>"


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def as_record(book: Book) -> dict[str, object]:
    """Return the figures for JSON; times in milliseconds, memory in MB."""
    return {
        "at": book.at.isoformat(),
        "machine": dict(book.machine),
        "model": book.model,
        "runtime": book.runtime,
        "sent": book.sent,
        "studies": len(book.studies),
        "stages_ms": {
            stage: {"p50": low, "p95": middle, "p99": high}
            for stage, (low, middle, high) in book.percentiles().items()
        },
        "burst": {"studies": book.burst.studies, **book.rates()},
        "peak_mb": dict(book.peak_mb),
    }
