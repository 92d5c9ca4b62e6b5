"""In which order work is done."""

from enum import IntEnum


class Priority(IntEnum):
    """How soon a task begins: what has the lowest number comes first."""

    URGENT = 0
    ROUTINE = 1
    LOW = 2

    @property
    def word(self) -> str:
        """What rules and lists call it."""
        return self.name.lower()
