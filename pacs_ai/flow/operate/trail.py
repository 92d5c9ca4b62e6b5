"""The audit trail for people: what happened last, with repeated attempts in one line."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import TypeAlias

from pacs_ai.flow.context import FlowContext
from pacs_ai.store import overview
from pacs_ai.store.records import EventRecord

_READ = 10
"""How many events are read for each line that is wanted: most lines of attempts are summed up."""
_LONGEST_ROUND = 4
"""Events of one attempt, at most: from a state until it is reached again."""

_Placed: TypeAlias = tuple[int, EventRecord]


@dataclass(frozen=True, slots=True)
class TrailLine:
    """An event, or the last one of a kind that happened several times in a row.

    Parameters
    ----------
    event
        What happened.
    times
        How often.
    since
        When it happened first; None if it happened once.
    """

    event: EventRecord
    times: int = 1
    since: datetime | None = None


def last_lines(context: FlowContext, limit: int) -> list[TrailLine]:
    """Return the newest lines of the audit trail, the last one first."""
    newest = list_events(context, limit * _READ)
    return summed(newest[::-1])[: -limit - 1 : -1]


def list_events(context: FlowContext, limit: int) -> list[EventRecord]:
    """Return the newest events, the last one first."""
    with context.database.read() as session:
        return [EventRecord.of(event) for event in overview.last_events(session, limit)]


def summed(events: Sequence[EventRecord]) -> list[TrailLine]:
    """Sum up attempts: what a row goes through again and again is one line.

    A destination that is away for hours is tried hundreds of times. What a person did among the
    attempts keeps its line.

    Parameters
    ----------
    events
        Events of any rows, oldest first.
    """
    rows: dict[tuple[str, str], list[_Placed]] = defaultdict(list)
    for placed in enumerate(events):
        rows[placed[1].entity, placed[1].entity_id].append(placed)
    lines = [line for row in rows.values() for line in _lines(row)]
    return [line for _, line in sorted(lines, key=itemgetter(0))]


def _lines(row: Sequence[_Placed]) -> Iterator[tuple[int, TrailLine]]:
    """Give the lines of one row, each with the place of its last event."""
    begin = 0
    while begin < len(row):
        length = _round(row, begin)
        times = _repetitions(row, begin, length)
        if times == 1:
            yield row[begin][0], TrailLine(row[begin][1])
            begin += 1
            continue
        end = begin + times * length
        # of one attempt, the event that says why it failed
        offset = max(range(length), key=lambda one: bool(row[end - length + one][1].note))
        last, first = row[end - length + offset][1], row[begin + offset][1]
        yield row[end - 1][0], TrailLine(last, times, first.at)
        begin = end


def _round(row: Sequence[_Placed], begin: int) -> int:
    """Return after how many events the state is what it was before them; 1 if it is not soon."""
    before = row[begin][1].from_state
    for length, (_, event) in enumerate(row[begin : begin + _LONGEST_ROUND], start=1):
        if event.to_state == before:
            return length
    return 1


def _repetitions(row: Sequence[_Placed], begin: int, length: int) -> int:
    """Return how often the events of a round stand there one after the other."""
    steps = _steps(row, begin, length)
    times = 1
    while _steps(row, begin + times * length, length) == steps:
        times += 1
    return times


def _steps(row: Sequence[_Placed], begin: int, length: int) -> list[tuple[str, ...]]:
    """Return from and to which states events lead, and by which person or node.

    The notes of attempts may differ. An event that is no attempt is the same with its note only.
    """
    alone = length == 1
    return [
        (one.from_state, one.to_state, one.actor.partition("/")[0], one.note if alone else "")
        for _, one in row[begin : begin + length]
    ]
