"""Compare stored times with a clock that may be set back."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute


def is_due(
    column: InstrumentedAttribute[datetime | None], now: datetime, longest: timedelta
) -> sa.ColumnElement[bool]:
    """Return the condition that a stored time has come.

    One further ahead than any pause lasts was written before the clock was set back: it has come,
    too. What is done too early by that is one more try.

    Parameters
    ----------
    longest
        The longest pause that anything is put off for.
    """
    return sa.or_(column <= now, column > now + longest)
