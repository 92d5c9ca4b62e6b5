"""Which threads of a process work at the same time: many, or one alone."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class SharedWork:
    """Lets threads work at the same time, except for one that wants to be alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._working = 0
        self._alone = False

    @contextmanager
    def joined(self, *, alone: bool = False) -> Iterator[None]:
        """Work in the block, as soon as the others allow it.

        Parameters
        ----------
        alone
            Wait until nobody works, and let nobody begin meanwhile.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._alone)
            self._alone = alone
            self._working += 1
            if alone:
                self._changed.wait_for(lambda: self._working == 1)
        try:
            yield
        finally:
            with self._changed:
                self._working -= 1
                if alone:
                    self._alone = False
                self._changed.notify_all()
