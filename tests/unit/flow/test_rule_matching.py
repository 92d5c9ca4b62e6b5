from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_ai.config import Rule
from pacs_ai.flow import retry
from pacs_ai.flow.rule_matching import Way, matches, matches_newly, with_way

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


SCAN = {
    "Modality": "CT",
    "SliceThickness": "2.5",
    "PixelSpacing": ["0.5", "0.7"],
    "PatientAge": "018M",
    "StationName": "",
    "RequestAttributesSequence.ScheduledProcedureStepDescription": ["HEAD", "STROKE"],
}
STEP = "ScheduledProcedureStepDescription"


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({"SliceThickness": {"max": 2.5}}, True),
        ({"SliceThickness": {"min": 2.5, "max": 3}}, True),
        ({"SliceThickness": {"min": 2.51}}, False),
        ({"PixelSpacing": {"min": 0.6}}, True),
        ({"PatientAge": {"min": 1.4, "max": 1.6}}, True),
        ({"StationName": {"max": 9}}, False),
        ({"Rows": {"min": 0}}, False),
        ({"StationName": {"present": False}}, True),
        ({"StationName": {"present": True}}, False),
        ({"Rows": {"present": False}}, True),
        ({"Modality": {"present": True}}, True),
        ({f"RequestAttributesSequence.{STEP}": "STROKE"}, True),
        ({"RequestAttributesSequence": {STEP: ["ABDOMEN", "HEAD"]}}, True),
        ({"any": [{"Modality": "MR"}, {"Modality": "CT", "StationName": ""}]}, True),
        ({"any": [{"Modality": "MR"}, {"Modality": "CT", "StationName": "?*"}]}, False),
        ({"all": [{"Modality": "C*"}, {"Modality": "*T"}]}, True),
        ({"not": {"Modality": "MR"}}, True),
        ({"not": {"Modality": "CT", "StationName": "?*"}}, True),
        ({"not": {"not": {"Modality": "CT"}}}, True),
        ({"Modality": "CT", "not": {"any": [{"PatientAge": {"max": 18}}]}}, False),
    ],
)
def test_conditions_are_combined(when, expected):
    assert matches(when, SCAN) is expected


@pytest.mark.parametrize(
    ("wanted", "address", "expected"),
    [
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.0.0/16", "10.1.2.3", True),
        (["192.168.*", "10.2.0.0/16"], "10.1.2.3", False),
        ("10.1.*", "10.1.2.3", True),
        ("fe80::/10", "fe80::1", True),
        ("10.1.0.0/16", "", False),
        ({"present": False}, "", True),
    ],
)
def test_an_address_is_compared_with_networks(wanted, address, expected):
    facts = with_way({}, ("A", "B", address))
    assert matches({"CallingAddress": wanted}, facts) is expected


ER, WARD = ("ER", "NODE", "10.0.0.1"), ("WARD", "NODE", "10.0.0.2")


@pytest.mark.parametrize(
    ("when", "before", "expected"),
    [
        ({}, WARD, False),
        ({"Modality": "CT"}, WARD, False),
        ({"CallingAET": "ER"}, WARD, True),
        ({"CallingAET": "ER"}, ER, False),
        ({"CallingAET": "ER", "Modality": "CT"}, WARD, True),
        ({"any": [{"CallingAET": "ER"}, {"Modality": "CT"}]}, WARD, True),
        ({"not": {"CallingAET": "WARD"}}, WARD, True),
        ({"CallingAddress": "10.0.0.1"}, WARD, True),
        ({"CalledAET": "NODE"}, WARD, False),
    ],
)
def test_another_way_may_let_a_rule_match(when, before: Way, expected):
    rule = Rule(name="one", model="demo", when=when)
    assert matches_newly([rule], ER, [before]) is expected


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
