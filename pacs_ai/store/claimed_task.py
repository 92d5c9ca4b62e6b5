"""A task that a worker holds, the name of its claim, and where the next one is looked for."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import sqlalchemy as sa

from pacs_ai.domain import TaskKind
from pacs_ai.priorities import Order, Priority

Keys: TypeAlias = sa.Select[str]
"""A query for the keys of tasks."""


@dataclass(frozen=True, slots=True)
class ClaimedTask:
    """A task under lease; ``claim`` names who holds it, ``node/boot/process/token``.

    ``overtook``: an older task of these kinds waits, because this one is more urgent.
    """

    claim: str
    kind: TaskKind
    key: str
    version: int = 1
    priority: int = Priority.ROUTINE
    overtook: bool = False


def new_claim(owner: str) -> str:
    """Return a name that no other claim has: also the same process gets another one each time."""
    return f"{owner}/{secrets.token_hex(4)}"


def owner_of(claim: str) -> str:
    """Return who made a claim."""
    return claim.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class Line:
    """Tasks that wait one behind the other: of one kind, and of one priority or of several.

    Its first one is found by an index of kind, priority and age, if the query orders by all of
    them and names the priorities as a range. By age alone, another index has the order, in which
    what waits in other lines would be passed over: with 100,000 analyses that wait, each claim of a
    delivery would read them all.
    """

    kind: TaskKind
    first: Priority
    last: Priority


def lines(kinds: Sequence[TaskKind], order: Order) -> list[Line]:
    """Return the lines of which one has the next task at its head."""
    if order is Order.OLDEST_FIRST:
        return [Line(kind, one, one) for kind in kinds for one in Priority]
    last = Priority.URGENT if order is Order.URGENT_ONLY else Priority.LOW
    return [Line(kind, Priority.URGENT, last) for kind in kinds]


def overtaken_lines(kinds: Sequence[TaskKind], priority: Priority) -> list[Line]:
    """Return the lines of what is less urgent, each of one priority."""
    return [Line(kind, one, one) for kind in kinds for one in Priority if one > priority]
