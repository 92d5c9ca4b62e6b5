"""Hours in which jobs of a rule may begin: by the wall clock of a time zone that is named."""

import re
from datetime import datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field

from pacs_ai.config.sections import Section

_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

_DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _hours(text: str) -> str:
    if not _HOURS.fullmatch(text) or text[:5] == text[6:]:
        raise ValueError("must be a begin and an end such as '22:00-06:00', which differ")
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # KeyError: there is no such zone
        raise ValueError(
            "must be a time zone that this system knows, such as 'Europe/Berlin' or 'UTC'"
        ) from None
    return name


def _listed(given: object) -> object:
    return (given,) if isinstance(given, str) else given


class OffPeak(Section):
    """``off_peak`` of a rule: when its jobs may begin.

    The wall clock counts: where it is put forward, an hour that it skips is in no window; where it
    is put back, an hour that it shows twice is in a window twice.
    """

    hours: Annotated[
        tuple[Annotated[str, AfterValidator(_hours)], ...], BeforeValidator(_listed)
    ] = Field(min_length=1)
    """One or several windows, as ``22:00-06:00``: the begin belongs to it, the end does not. A
    window whose end is before its begin goes on until the next day."""
    time_zone: Annotated[str, AfterValidator(_zone)]
    """Name of the time zone (IANA), as ``Europe/Berlin``: not what the system happens to have."""
    days: tuple[Day, ...] = Field(_DAYS, min_length=1)
    """Days on which a window begins; not set: all."""

    def is_open(self, now: datetime) -> bool:
        """Tell whether a moment, with its own time zone, is in a window."""
        local = now.astimezone(ZoneInfo(self.time_zone))
        return any(self._contains(one, local) for one in self.hours)

    def _contains(self, hours: str, local: datetime) -> bool:
        begin, end = time.fromisoformat(hours[:5]), hours[6:]
        clock = local.time()
        before_end = end == "24:00" or clock < time.fromisoformat(end)
        today = _DAYS[local.weekday()] in self.days
        if hours[:5] < end:
            return today and begin <= clock and before_end
        yesterday = _DAYS[(local - timedelta(days=1)).weekday()] in self.days
        return (today and clock >= begin) or (yesterday and before_end)

    def __str__(self) -> str:
        days = "" if self.days == _DAYS else f" {', '.join(self.days)}"
        return f"{', '.join(self.hours)}{days} ({self.time_zone})"
