"""Put first on PYTHONPATH, this takes away wake-ups or polling from every process of a node.

``PACS_AI_TEST_WITHOUT`` is ``wake-ups`` or ``polling``.
"""

import os

from pacs_ai.engine import wakeups
from pacs_ai.engine.wakeups import Wakeups

HOURS = 36_000.0
WITHOUT = os.environ.get("PACS_AI_TEST_WITHOUT", "")


def drop(_self: Wakeups, _kinds: object) -> None:
    """Wake nobody."""


if "wake-ups" in WITHOUT:
    Wakeups.wake = Wakeups.wake_here = drop  # type: ignore[method-assign]
if "polling" in WITHOUT:
    wakeups.POLL_SECONDS = HOURS
