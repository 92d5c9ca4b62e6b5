"""The Markdown of model cards as HTML: headings, paragraphs, lists, tables, quotes, bold, code.

All text is escaped; what is no such Markdown stands there as it was written.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from markupsafe import Markup, escape

_HEADING = re.compile(r"(#{1,6}) +(.*)")
_BOLD = re.compile(r"\*\*(.+?)\*\*")
_EMPHASIS = re.compile(r"(?<![*\w])\*([^*\s][^*]*)\*")
_CODE = re.compile(r"`([^`]+)`")
_RULE_OF_TABLE = re.compile(r"\|[\s:|-]+\|")
_DEEPEST = 6


def html_of(text: str, level: int) -> Markup:
    """Write a text in Markdown as HTML.

    Parameters
    ----------
    level
        Level that the highest heading gets, in 1 to 6.
    """
    lines = [line.rstrip() for line in text.splitlines()]
    parts = [
        part
        for kind, some in groupby(lines, _kind)
        if kind
        for part in _PARTS[kind](list(some), level)
    ]
    return Markup("\n").join(parts)


def _kind(line: str) -> str:
    if not line:
        return ""
    if _HEADING.fullmatch(line):
        return "heading"
    return {"|": "table", ">": "quote", "-": "list"}.get(line[0], "text")


def _headings(lines: Sequence[str], level: int) -> Iterator[Markup]:
    for line in lines:
        found = _HEADING.fullmatch(line)
        assert found is not None  # noqa: S101 - it is how `_kind` chooses
        deep = min(_DEEPEST, level + len(found[1]) - 1)
        yield Markup("<h{0}>{1}</h{0}>").format(deep, _inline(found[2]))


def _table(lines: Sequence[str], _level: int) -> Iterator[Markup]:
    rows = [
        [_inline(cell.strip()) for cell in line.strip("|").split("|")]
        for line in lines
        if not _RULE_OF_TABLE.fullmatch(line)
    ]
    head, *body = rows
    columns = Markup("").join(_head_cell(cell) for cell in head)
    written = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(Markup("<td>{}</td>").format(cell) for cell in row)
        )
        for row in body
    )
    yield Markup(
        '<div class="scroll" tabindex="0" role="group" aria-label="Table">'
        '<table class="plain"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(columns, written)


def _head_cell(cell: Markup) -> Markup:
    return Markup('<th scope="col">{}</th>').format(cell) if cell else Markup("<td></td>")


def _quote(lines: Sequence[str], _level: int) -> Iterator[Markup]:
    yield Markup("<blockquote><p>{}</p></blockquote>").format(
        _inline(" ".join(line.lstrip("> ") for line in lines))
    )


def _list(lines: Sequence[str], _level: int) -> Iterator[Markup]:
    entries = (Markup("<li>{}</li>").format(_inline(line.lstrip("- "))) for line in lines)
    yield Markup("<ul>{}</ul>").format(Markup("").join(entries))


def _text(lines: Sequence[str], _level: int) -> Iterator[Markup]:
    yield Markup("<p>{}</p>").format(_inline(" ".join(lines)))


_PARTS = {
    "heading": _headings,
    "table": _table,
    "quote": _quote,
    "list": _list,
    "text": _text,
}


def _inline(text: str) -> Markup:
    bold = _BOLD.sub(r"<strong>\1</strong>", str(escape(text)))
    bold = _EMPHASIS.sub(r"<em>\1</em>", bold)
    return Markup(_CODE.sub(r"<code>\1</code>", bold))  # noqa: S704 - escaped before
