"""Repeated attempts are one line of the audit trail; what a person did keeps its own."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.trail import TrailLine, last_lines, summed
from pacs_ai.store.records import EventRecord
from pacs_ai.store.transition import record

BEGIN = datetime(2026, 1, 31, tzinfo=UTC)
DELIVERY = ("PENDING", "SENDING", "WAITING")


def trail(
    states: Iterable[str],
    row: str = "1",
    *,
    begin: int = 0,
    actor: str = "node/1/2",
    note: str = "",
) -> list[EventRecord]:
    """Events of one row that goes through states, a second for each."""
    states = list(states)
    return [
        EventRecord(
            BEGIN + timedelta(seconds=begin + second),
            "delivery",
            row,
            before,
            after,
            actor,
            note if after == "WAITING" else "",
        )
        for second, (before, after) in enumerate(pairwise(states))
    ]


def seen(lines: Sequence[TrailLine]) -> list[tuple[str, str, int]]:
    return [(one.event.from_state, one.event.to_state, one.times) for one in lines]


@pytest.mark.parametrize("attempts", [3, 500])
def test_attempts_are_summed_up(attempts: int) -> None:
    events = trail(["", *DELIVERY * attempts, "PENDING", "SENDING", "STORED"], note="away")
    lines = summed(events)
    assert seen(lines) == [
        ("", "PENDING", 1),
        ("SENDING", "WAITING", attempts),
        ("PENDING", "SENDING", 1),
        ("SENDING", "STORED", 1),
    ]
    assert (lines[1].event.note, lines[1].since) == ("away", BEGIN + timedelta(seconds=2))


def test_rows_that_are_tried_at_the_same_time_do_not_hide_each_other() -> None:
    rows = [trail(["", *DELIVERY * 50], str(row), begin=row, note="away") for row in range(7)]
    events = sorted((one for row in rows for one in row), key=lambda one: one.at)
    lines = summed(events)
    assert len(lines) == 7 * 4
    assert sum(one.times for one in lines if one.event.to_state == "WAITING") == 7 * 50


def test_an_attempt_that_a_person_asked_for_keeps_its_lines() -> None:
    first = trail(["", *DELIVERY * 10], note="away")
    asked = trail(["WAITING", "PENDING"], begin=100, actor="anna")
    then = trail(["PENDING", "SENDING", "WAITING", *DELIVERY * 10], begin=101, note="away")
    lines = summed([*first, *asked, *then])
    assert [one.times for one in lines if one.event.actor == "anna"] == [1]
    assert sum(one.times for one in lines if one.event.to_state == "WAITING") == 21


def test_what_happened_once_is_as_it_was() -> None:
    events = trail(["", "QUEUED", "RUNNING", "SUCCEEDED"])
    assert [one.event for one in summed(events)] == events
    assert [one.since for one in summed(events)] == [None] * 3
    assert summed([]) == []


def test_looks_with_another_note_are_told_apart() -> None:
    looks = [
        EventRecord(BEGIN, "access", "1", "", "READ", "anna", said)
        for said in ("shown", "shown", "patient shown", "shown")
    ]
    assert [(one.event.note, one.times) for one in summed(looks)] == [
        ("shown", 2),
        ("patient shown", 1),
        ("shown", 1),
    ]


def test_the_newest_lines_reach_back_beyond_attempts(context: FlowContext) -> None:
    with context.write() as transaction:
        record(transaction, "study", "1", "", "RECEIVING")
        for _ in range(60):
            for before, after in zip(("WAITING", *DELIVERY), DELIVERY, strict=False):
                record(transaction, "delivery", "1", before, after)
    lines = last_lines(context, 30)
    assert [(one.event.entity, one.times) for one in lines] == [("delivery", 60), ("study", 1)]
    assert len(last_lines(context, 1)) == 1
