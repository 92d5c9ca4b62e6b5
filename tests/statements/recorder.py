"""Note each statement that the node makes, in the words of both databases, and where it does."""

import contextlib
import re
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from tests.statements.listing import Statement, Statements

_ROOT = Path(__file__).resolve().parents[2]
_NODE = f"{_ROOT}/pacs_ai/"
_TESTS = f"{_ROOT}/tests/"
_CARRIERS = ("store/session.py", "store/group_commit.py")
"""Modules that run the statements of others."""

_DIALECTS: dict[str, sa.Dialect] = {
    "postgresql": postgresql.psycopg.dialect(paramstyle="named"),
    "sqlite": sqlite.dialect(paramstyle="named"),
}
_ROWS = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", re.IGNORECASE)
_INNER = re.compile(r"(\.<locals>\.<\w+>)+$")
"""A comprehension in a function is a frame of its own in older versions of Python."""
_LISTED = 3
"""So many values of a list are kept."""
_ONLY_POSTGRESQL = re.compile(r"\bpg_|procrastinate_jobs|clock_timestamp|date_trunc")


class Recorder:
    """Adds each statement that it has not seen."""

    def __init__(self) -> None:
        self.found = Statements()
        self._seen: set[tuple[str, str]] = set()

    def note(
        self,
        _connection: object,
        _cursor: object,
        text: str,
        values: Any,
        context: Any,
        _many: bool,
    ) -> None:
        """Take what SQLAlchemy tells after a statement."""
        if not _ROWS.match(text):
            return
        place = _place()
        if place is None or (place, text) in self._seen:
            return
        self._seen.add((place, text))
        compiled = getattr(context, "compiled", None)
        name = context.dialect.name
        if compiled is None or compiled.statement is None:
            self.found.add(place, _as_given(name, text, values))
            return
        given = dict(context.compiled_parameters[0]) if context.compiled_parameters else {}
        texts, kept = {}, {}
        for dialect in _DIALECTS:
            with contextlib.suppress(sa.exc.CompileError):
                texts[dialect], kept[dialect] = _compiled(compiled, given, dialect)
        if _ONLY_POSTGRESQL.search(text):
            texts.pop("sqlite", None)
        if texts:
            self.found.add(place, Statement(texts, kept))

    def note_insert(self, *told: Any) -> None:
        """Take a row that is added before it is: made of invented values, it may be refused."""
        if told[2].lstrip().startswith("INSERT"):
            self.note(*told)


def _place() -> str | None:
    """Return the function of the node that makes a statement; None if no function of it does."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if file == __file__:
            frame = frame.f_back
            continue
        if file.startswith(_TESTS):
            return None
        if file.startswith(_NODE) and not file.endswith(_CARRIERS):
            if "/migrations/" in file:
                return None
            name = _INNER.sub("", frame.f_code.co_qualname)
            return f"{file.removeprefix(_NODE)} {name}"
        frame = frame.f_back
    return None


def _compiled(compiled: Any, given: dict[str, Any], name: str) -> tuple[str, dict[str, Any]]:
    dialect = _DIALECTS[name]
    made = compiled.statement.compile(dialect=dialect, column_keys=compiled.column_keys)
    values = {key: given.get(key, one) for key, one in made.params.items()}
    values = {
        key: one[:_LISTED] if isinstance(one, list | tuple) else one for key, one in values.items()
    }
    state = made.construct_expanded_state(values)
    processors = {**made._bind_processors, **state.processors}
    kept = {
        key: processors[key](one) if callable(processors.get(key)) and one is not None else one
        for key, one in state.parameters.items()
    }
    return state.statement, kept


def _as_given(name: str, text: str, values: Any) -> Statement:
    """Return a statement that was not made by SQLAlchemy, with a name for each value."""
    if isinstance(values, dict):
        return Statement({name: re.sub(r"%\((\w+)\)s", r":\1", text)}, {name: dict(values)})
    names = iter(range(1, 1000))
    text = re.sub(r"\?|%s", lambda _: f":value_{next(names)}", text)
    return Statement(
        {name: text}, {name: {f"value_{n}": one for n, one in enumerate(values or (), 1)}}
    )
