"""Something that goes on beside what is measured."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def beside(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Have ``work`` run in a thread for as long as a block runs; raise what stopped it.

    Parameters
    ----------
    work
        Ends soon after the event that it gets is set.

    Raises
    ------
    OSError
        What ``work`` ended with, after the block.
    """
    stop = threading.Event()
    failures: list[OSError] = []

    def guarded() -> None:
        try:
            work(stop)
        except OSError as error:
            failures.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if failures:
        raise failures[0]
