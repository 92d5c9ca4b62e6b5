"""Off-peak hours: across midnight, by days, and where clocks are put forward and back."""

from datetime import datetime

import pytest
from pydantic import ValidationError

from pacs_ai.config.off_peak import OffPeak


@pytest.mark.parametrize(
    ("hours", "moment", "is_open"),
    [
        ("22:00-06:00", "2026-01-15T20:59:59Z", False),
        ("22:00-06:00", "2026-01-15T21:00:00Z", True),  # 22:00 in Berlin, winter
        ("22:00-06:00", "2026-07-15T20:00:00Z", True),  # 22:00 in Berlin, summer
        ("22:00-06:00", "2026-01-16T04:59:59Z", True),
        ("22:00-06:00", "2026-01-16T05:00:00Z", False),
        ("12:00-13:00", "2026-01-15T11:30:00Z", True),
        ("12:00-13:00", "2026-01-15T12:00:00Z", False),
        ("18:00-24:00", "2026-01-15T22:59:00Z", True),
        ("18:00-24:00", "2026-01-15T23:00:00Z", False),
        ("00:00-24:00", "2026-01-15T23:00:00Z", True),
        # 29 March 2026: 02:00 becomes 03:00
        ("01:00-02:30", "2026-03-29T00:59:00Z", True),
        ("01:00-02:30", "2026-03-29T01:00:00Z", False),
        ("02:00-03:00", "2026-03-29T01:00:00Z", False),
        # 25 October 2026: 03:00 becomes 02:00, and 02:30 comes twice
        ("02:00-03:00", "2026-10-25T00:30:00Z", True),
        ("02:00-03:00", "2026-10-25T01:30:00Z", True),
        ("02:00-03:00", "2026-10-25T02:00:00Z", False),
    ],
)
def test_the_wall_clock_of_the_zone_counts(hours: str, moment: str, is_open: bool) -> None:
    window = OffPeak(hours=hours, time_zone="Europe/Berlin")
    assert window.is_open(datetime.fromisoformat(moment)) is is_open


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-01-16T23:00:00+00:00", True),  # Friday
        ("2026-01-17T05:00:00+00:00", True),  # Saturday, in the window of Friday
        ("2026-01-17T23:00:00+00:00", False),
        ("2026-01-16T05:00:00+00:00", False),  # Friday, in the window of Thursday
    ],
)
def test_days_say_when_a_window_begins(moment: str, is_open: bool) -> None:
    window = OffPeak(hours=("22:00-06:00",), time_zone="UTC", days=("fri",))
    assert window.is_open(datetime.fromisoformat(moment)) is is_open


@pytest.mark.parametrize(
    "given",
    [
        {"hours": "22:00-06:00"},
        {"hours": "22-6", "time_zone": "UTC"},
        {"hours": "22:00-22:00", "time_zone": "UTC"},
        {"hours": "22:00-25:00", "time_zone": "UTC"},
        {"hours": (), "time_zone": "UTC"},
        {"hours": "22:00-06:00", "time_zone": "Berlin"},
        {"hours": "22:00-06:00", "time_zone": "UTC", "days": ("friday",)},
    ],
)
def test_what_is_no_window_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        OffPeak.model_validate(given)
