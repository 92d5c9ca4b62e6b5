"""Tables as the templates draw them: columns, cells with links and states, filters, actions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from markupsafe import Markup

from pacs_ai.domain import DeliveryState, JobState, StudyState
from pacs_ai.web.page.render import shown_time

_GOOD = (StudyState.ROUTED, JobState.SUCCEEDED, DeliveryState.STORED, DeliveryState.COMMITTED)
_BAD = (StudyState.CONFLICT, JobState.FAILED, JobState.REJECTED)


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a table: a text that may be a link, or a state."""

    text: str | Markup
    link: str = ""
    look: str = ""
    """``good``, ``bad`` or ``open`` for a state; "" for other texts."""


Value: TypeAlias = "Cell | str | int | float | datetime | list[str] | None"


@dataclass(frozen=True, slots=True)
class Choice:
    """A field of the form that filters a table; with ``options`` one of them is chosen."""

    name: str
    label: str
    value: str
    options: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """A button that changes something: a form with hidden fields."""

    label: str
    path: str
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table, and what can be done with it."""

    cells: Sequence[Cell]
    actions: Sequence[Action] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table; ``nothing`` stands in its place if it has no rows."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Row]
    nothing: str
    actions: Sequence[Action] = ()

    @property
    def acts(self) -> bool:
        """Whether there is something to do with some of the rows."""
        return any(one.actions for one in self.rows)


def row(*values: Value, actions: Sequence[Action] = ()) -> Row:
    """Make a row of values."""
    return Row([cell(value) for value in values], actions)


def cell(value: Value) -> Cell:
    """Write a value for people."""
    if isinstance(value, Cell):
        return value
    if isinstance(value, datetime):
        return Cell(shown_time(value))
    if isinstance(value, list):
        return Cell("; ".join(value))
    if isinstance(value, float):
        return Cell(f"{value:.1f}")
    return Cell("" if value is None else str(value))


def state(name: str) -> Cell:
    """Write a state; its look repeats what the word says."""
    look = "good" if name in _GOOD else "bad" if name in _BAD else "open"
    return Cell(name, look=look)
