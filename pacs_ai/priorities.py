"""In which order work is done."""

from enum import Enum, IntEnum, auto


class Priority(IntEnum):
    """How soon a task begins: what has the lowest number comes first."""

    URGENT = 0
    ROUTINE = 1
    LOW = 2

    @property
    def word(self) -> str:
        """What rules and lists call it."""
        return self.name.lower()


class Order(Enum):
    """Which of the tasks that wait is performed next."""

    URGENT_FIRST = auto()
    """The most urgent one; of equally urgent ones, the oldest."""
    URGENT_ONLY = auto()
    """The oldest urgent one; none while only others wait."""
    OLDEST_FIRST = auto()
    """The oldest of all, however urgent the others are."""
