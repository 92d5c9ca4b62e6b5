"""Indexes of few rows of a large table, and the conditions that queries name them by.

A database uses such an index only where the query states its condition with the same constants, so
these are texts and not bound values.
"""

from sqlalchemy import Index, text

TO_READ = text("modality = 'SR' AND feedback = ''")
"""Structured reports that nobody has read for feedback."""

NO_RULE = "no rule matches"
"""How the reason of a study begins that has images and no job."""

UNMATCHED = text(f"state = 'ROUTED' AND reason LIKE '{NO_RULE}%'")
"""Studies that no rule matches and whose files are still here."""

MISSING = text("missing")
"""Instances whose file was not there when their node looked."""

HAS_FILE = text("path <> ''")
"""Results whose files are not removed yet."""


def few(name: str, column: str, condition: str, *, unique: bool = False) -> Index:
    """Make an index of the rows that meet a condition."""
    where = text(condition)
    return Index(name, column, unique=unique, sqlite_where=where, postgresql_where=where)
