"""What a recipe selects: values that meet a condition, and patients in an order by hash."""

import hashlib
from collections.abc import Sequence
from fnmatch import fnmatchcase

from training.recipe.data import Condition


def matches(value: str | Sequence[str], condition: Condition) -> bool:
    """Tell whether a value, or any of several, is one of the literals or globs of a condition."""
    values = (value,) if isinstance(value, str) else value
    patterns = (condition,) if isinstance(condition, str) else condition
    return any(fnmatchcase(each, pattern) for each in values for pattern in patterns)


def hash_rank(unit: str, salt: str = "") -> int:
    """Return the place of a patient in an order by hash, which does not depend on the data."""
    digest = hashlib.sha256(f"{salt}|{unit}".encode()).digest()
    return int.from_bytes(digest[:8], "big")
