"""When to try again, computed from counts and times alone.

How long something was tried is counted by its pauses, not by the clock: a clock that is set, or a
node that was down meanwhile, uses up nothing.
"""

import random
from datetime import datetime, timedelta

from pacs_ai.errors import PacsAIError, StorageError

JOB_ATTEMPTS = 5
"""Attempts of a job before it is FAILED, for errors other than those of the storage."""

JOB_PAUSES = (1.0, 300.0)
"""First and longest pause of a job, in seconds."""

FILE_SECONDS = 60.0
"""How long one stored file that cannot be read is tried again while others can be read."""

REFUSED_SECONDS = 3600.0
"""How long a peer that answers may refuse a result before the delivery is FAILED."""

_JITTER = 0.2
_HOUR = 3600.0


def pause(attempt: int, first_seconds: float, max_seconds: float) -> timedelta:
    """Return how long to wait after an attempt: doubled each time, limited, varied by a fifth.

    Parameters
    ----------
    attempt
        The attempt that failed, from 1.
    """
    seconds = _nominal(attempt, first_seconds, max_seconds)
    return timedelta(seconds=seconds * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311 - no secret


def longest(max_seconds: float) -> timedelta:
    """Return the longest that `pause` can be."""
    return timedelta(seconds=max_seconds * (1 + _JITTER))


def waited(pauses: int, first_seconds: float, max_seconds: float) -> float:
    """Return how many seconds a number of pauses took at least."""
    return (1 - _JITTER) * _planned(pauses, first_seconds, max_seconds)


def _planned(pauses: int, first_seconds: float, max_seconds: float) -> float:
    return sum(_nominal(one, first_seconds, max_seconds) for one in range(1, pauses + 1))


def _nominal(attempt: int, first_seconds: float, max_seconds: float) -> float:
    return float(min(first_seconds * 2 ** min(attempt - 1, 32), max_seconds))


def may_retry(
    error: PacsAIError, pauses: int, *, outage: bool, hours: float, limits: tuple[float, float]
) -> bool:
    """Tell whether work that failed is tried again.

    Parameters
    ----------
    pauses
        How often it was postponed for the same reason before.
    outage
        Whether the whole storage is out of reach, and not one file.
    hours
        How long to wait for the end of an outage.
    limits
        First and longest pause in seconds.
    """
    if not error.retryable:
        return False
    if outage or isinstance(error, StorageError):
        limit = hours * _HOUR if outage else FILE_SECONDS
        return waited(pauses, *limits) < limit
    return pauses + 1 < JOB_ATTEMPTS


def refused_for_long(refusals: int, first_seconds: float, max_seconds: float, hours: float) -> bool:
    """Tell whether a peer has refused a result for long enough to give up.

    Parameters
    ----------
    refusals
        How often it did so.
    hours
        For how long a delivery is tried at all; counts where it is less than `REFUSED_SECONDS`.
    """
    limit = min(REFUSED_SECONDS, hours * _HOUR)
    return waited(refusals - 1, first_seconds, max_seconds) >= limit


def over(
    created_at: datetime, now: datetime, attempts: int, *, hours: float, limits: tuple[float, float]
) -> bool:
    """Tell whether a delivery has been tried for long enough: by the clock, and by its pauses.

    Not by the clock alone, which may have been set while the node was down. Not by the pauses
    alone: a peer that answers a probe is tried again at once, before its pause ends.

    Parameters
    ----------
    attempts
        How often it was tried.
    hours
        For how long a delivery is tried.
    limits
        First and longest pause in seconds.
    """
    return (
        now - created_at >= timedelta(hours=hours)
        and _planned(attempts - 1, *limits) >= hours * _HOUR
    )
