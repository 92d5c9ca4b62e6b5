"""Read the next images in other threads while the network computes, bounded in bytes."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 2


def read_ahead(
    read: Callable[[T], R],
    items: Sequence[T],
    size_of: Callable[[T], int],
    *,
    threads: int,
    most: int,
) -> Generator[tuple[T, Future[R]], None, None]:
    """Call a function for each item in other threads, and hand on what came of it in order.

    Parameters
    ----------
    read
        Reads an item. What it returns should be small beside what it needs meanwhile.
    items
        In the order in which they are handed on.
    size_of
        Bytes that an item needs while it is read; known before.
    threads
        How many items are read at the same time, at most. Twice as many may be ahead.
    most
        Bytes of the items that are being read, or have been read and wait. One item may be larger.

    Yields
    ------
    tuple
        An item, and its result or error: ``result()`` returns or raises at once.

    Notes
    -----
    Close it where it may not be used up, with ``contextlib.closing``: items that nobody has begun
    to read are dropped then, and the threads have ended when it returns.
    """
    left, pending = deque(items), deque[tuple[T, int, Future[R]]]()
    held = 0

    def fits(item: T) -> bool:
        return held + size_of(item) <= most

    def begin() -> None:
        nonlocal held
        while left and len(pending) < _AHEAD * threads and (not pending or fits(left[0])):
            item = left.popleft()
            pending.append((item, size_of(item), pool.submit(read, item)))
            held += size_of(item)

    pool = ThreadPoolExecutor(threads, thread_name_prefix="read-ahead")
    try:
        begin()
        while pending:
            item, size, future = pending.popleft()
            wait((future,))
            held -= size
            begin()
            yield item, future
    finally:
        pool.shutdown(cancel_futures=True)
