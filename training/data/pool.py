"""Apply a function to many items: in this process for few, in several processes for many."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_MANY = 2000
"""Number of images from which several processes are faster: starting them takes a second, reading
an image one to ten milliseconds. Threads do not help: reading holds the interpreter lock."""
_CHUNK = 64
_MOST = 8


def parallel_map(
    do: Callable[[T], R],
    items: Sequence[T],
    workers: int = 0,
    *,
    many: int = _MANY,
    chunk: int = _CHUNK,
) -> Iterator[R]:
    """Apply a function to many items; the results are in their order.

    Parameters
    ----------
    do
        A function at the top level of a module, or a `functools.partial` of one.
    items
        Paths, samples or the like.
    workers
        Number of processes; 0 means one for each processor core, at most 8.
    many, chunk
        The number of items from which several processes are used, and the items of one chunk. Use
        smaller values for items that take longer than reading an image.
    """
    workers = workers or min(_MOST, os.cpu_count() or 1)
    if workers == 1 or len(items) < many:
        yield from map(do, items)
        return
    # fork would copy TensorFlow's threads in an undefined state
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(do, items, chunksize=chunk)
