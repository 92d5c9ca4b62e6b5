"""Of which series a process has received an image."""

import threading
from collections import OrderedDict
from collections.abc import Hashable

_MOST = 10_000


class SeenSeries:
    """The series of which this process has received an image.

    Threads share it. It forgets those that it saw first: they are looked at once more then.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: OrderedDict[Hashable, None] = OrderedDict()

    def is_new(self, series: Hashable) -> bool:
        """Note a series; tell whether this is its first image."""
        with self._lock:
            if series in self._seen:
                return False
            self._seen[series] = None
            if len(self._seen) > _MOST:
                self._seen.popitem(last=False)
            return True
