from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_ai.flow import retry
from pacs_ai.flow.rule_matching import matches

FACTS = {"Modality": "CT", "BodyPartExamined": "CHEST AP", "ImageType": ["ORIGINAL", "PRIMARY"]}


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({}, True),
        ({"Modality": "CT"}, True),
        ({"Modality": ("CR", "DX")}, False),
        ({"Modality": ("CR", "CT")}, True),
        ({"BodyPartExamined": "CHEST*"}, True),
        ({"BodyPartExamined": "chest*"}, False),
        ({"BodyPartExamined": "CHEST"}, False),
        ({"ImageType": "PRIMARY"}, True),
        ({"ImageType": "SECONDARY"}, False),
        ({"Modality": "CT", "BodyPartExamined": "HEAD*"}, False),
        ({"StationName": ""}, True),
        ({"StationName": "?*"}, False),
    ],
)
def test_every_condition_must_hold(when, expected):
    assert matches(when, FACTS) is expected


@given(attempt=st.integers(1, 500), first=st.floats(0.1, 10), most=st.floats(10, 1000))
def test_pauses_double_up_to_their_cap(attempt, first, most):
    wait = retry.pause(attempt, first, most).total_seconds()
    middle = min(first * 2 ** min(attempt - 1, 32), most)
    assert 0.79 * middle <= wait <= 1.21 * middle


@pytest.mark.parametrize(
    ("minutes", "attempts", "ends"),
    [
        (59, 62, False),
        (60, 62, True),
        (60, 60, False),  # a node that was down for a while has not tried for an hour
        (60 * 24 * 365, 2, False),  # a clock that was set
        (30, 1000, False),  # a peer that answers every echo
    ],
)
def test_retrying_ends_after_the_hours_given(minutes: int, attempts: int, *, ends: bool):
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    now = begin + timedelta(minutes=minutes)
    assert retry.over(begin, now, attempts, hours=1, limits=(60, 60)) is ends
