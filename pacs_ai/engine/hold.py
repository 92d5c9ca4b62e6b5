"""While an urgent task is under way, no less urgent one begins, for a limited time.

Which tasks are under way, the rows of the tasks say, and since when. Here is only how long that
counts. docs/adr/0042 gives the reasons.
"""

import threading
from datetime import timedelta

from pacs_ai.clock import Clock
from pacs_ai.engine.base import MOST_OVERTAKEN

HOLD_SECONDS = 2.0
"""So long after it was asked for, an urgent task holds less urgent ones up: one that waits for a
destination that does not answer, or that takes long, holds nobody up any more."""

HOLD = timedelta(seconds=HOLD_SECONDS)

LOOK_SECONDS = 0.1
"""Between two looks of a thread that is held up."""

_ROUND_SECONDS = HOLD_SECONDS * (MOST_OVERTAKEN + 1) / MOST_OVERTAKEN


class HoldRounds:
    """Ends a hold for a fifth of the time, if urgent tasks come without a pause.

    This is the only thing that a process remembers of a hold. A new process begins with a new
    round.

    Parameters
    ----------
    clock
        Its monotonic clock measures the rounds.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._began = self._looked = float("-inf")

    def holds(self, *, urgent: bool) -> bool:
        """Tell whether less urgent tasks are held up now.

        Parameters
        ----------
        urgent
            Whether an urgent task is under way now.
        """
        now = self._clock.monotonic()
        with self._lock:
            if not urgent:
                self._looked = float("-inf")
                return False
            if now - self._looked > HOLD_SECONDS:  # it was over, or all threads were busy
                self._began = now
            self._looked = now
            return (now - self._began) % _ROUND_SECONDS < HOLD_SECONDS
