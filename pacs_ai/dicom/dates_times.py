"""Dates and times of foreign data sets: read as the standard has them, or not at all."""

import re
from datetime import date, datetime, time

_DATE = re.compile(r"([0-9]{4})(\.?)([0-9]{2})\2([0-9]{2})")
_TIME = re.compile(r"([0-9]{2})(?:(:?)([0-9]{2})(?:\2([0-9]{2})(?:\.([0-9]{1,6}))?)?)?")
_YEARS = range(1800, 2200)  # 0001 and 9999 are what programs write where they know no date
_HOURS, _MINUTES, _SECONDS = 24, 60, 61  # there are leap seconds


def date_of(text: str) -> date | None:
    """Read a date.

    Parameters
    ----------
    text
        ``YYYYMMDD``, or ``YYYY.MM.DD`` as objects before the standard had it.

    Returns
    -------
    date or None
        None for anything else, for a day that no calendar has, and for a year that no patient has.

    Notes
    -----
    DA, PS3.5 Section 6.2.
    """
    found = _DATE.fullmatch(text.strip(" \0"))
    if found is None:
        return None
    if int(found[1]) not in _YEARS:
        return None
    try:
        return date(int(found[1]), int(found[3]), int(found[4]))
    except ValueError:
        return None


def time_of(text: str) -> str:
    """Read a time of day.

    Parameters
    ----------
    text
        ``HH``, ``HHMM``, ``HHMMSS`` or ``HHMMSS.FFFFFF``, or with colons as objects before the
        standard had it.

    Returns
    -------
    str
        Without colons and padding; "" for anything else, and for what no clock shows.

    Notes
    -----
    TM, PS3.5 Section 6.2.
    """
    found = _TIME.fullmatch(text.strip(" \0"))
    if found is None:
        return ""
    hours, minutes, seconds = (int(found[group] or 0) for group in (1, 3, 4))
    if hours >= _HOURS or minutes >= _MINUTES or seconds >= _SECONDS:
        return ""
    fraction = f".{found[5]}" if found[5] else ""
    return "".join(found[group] or "" for group in (1, 3, 4)) + fraction


def moment_of(day: str, time_of_day: str) -> datetime | None:
    """Put a date and a time together; None if there is no such date. Without a time zone.

    Parameters
    ----------
    day, time_of_day
        As `date_of` and `time_of` read them; an invalid time counts as midnight.
    """
    found = date_of(day)
    if found is None:
        return None
    digits, _, fraction = time_of(time_of_day).partition(".")
    hours, minutes, seconds = (int(digits[n : n + 2] or 0) for n in (0, 2, 4))
    micro = int(fraction.ljust(6, "0") or 0)
    return datetime.combine(found, time(hours, minutes, min(seconds, 59), micro))


def date_text(day: date) -> str:
    """Write a date as ``YYYYMMDD``."""
    return day.isoformat().replace("-", "")
