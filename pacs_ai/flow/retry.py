"""When to try again: pure arithmetic."""

import random
from datetime import datetime, timedelta

JOB_ATTEMPTS = 5
"""So often a job is begun before it is FAILED."""

JOB_FIRST_SECONDS = 1.0
JOB_MAX_SECONDS = 300.0

REFUSALS = 3
"""So often a peer may refuse an object for what it is before the delivery is FAILED."""

_JITTER = 0.2


def pause(attempt: int, first_seconds: float, max_seconds: float) -> timedelta:
    """Return how long to wait after an attempt: doubling, capped, and spread by a fifth.

    Parameters
    ----------
    attempt
        The attempt that failed, from 1.
    """
    seconds = min(first_seconds * 2 ** min(attempt - 1, 32), max_seconds)
    return timedelta(seconds=seconds * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311 - no secret


def over(created_at: datetime, hours: float, now: datetime) -> bool:
    """Tell whether a delivery has been tried for long enough."""
    return now - created_at >= timedelta(hours=hours)
