"""Do one thing to many files: in this process for few, in several for many."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_MANY = 2000
"""From here on several processes pay: starting them takes a second, reading an image one to ten
milliseconds. Threads do not help, as most of that time holds the interpreter's lock."""
_CHUNK = 64
_MOST = 8


def each(
    do: Callable[[T], R],
    items: Sequence[T],
    workers: int = 0,
    *,
    many: int = _MANY,
    chunk: int = _CHUNK,
) -> Iterator[R]:
    """Apply a function to many items, in their order.

    Parameters
    ----------
    do
        A function of a module, or a `functools.partial` of one.
    items
        Paths, samples or alike.
    workers
        Number of processes; 0 means one a processor core, at most 8.
    many, chunk
        From how many items on several processes pay, and how many each takes at a time; less where
        an item takes longer than to read an image.
    """
    workers = workers or min(_MOST, os.cpu_count() or 1)
    if workers == 1 or len(items) < many:
        yield from map(do, items)
        return
    # fork would copy TensorFlow's threads in an undefined state
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(do, items, chunksize=chunk)
