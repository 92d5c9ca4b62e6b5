"""Work done by several processes at the same time, begun at the same moment."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier

PATIENCE = 60.0
"""Seconds in which a process begins, and ends after its work."""

Work = Callable[[Callable[[], None]], int]
"""Calls the function that it gets when it is ready; returns how much it has done."""


def done_by(workers: int, work: Work) -> int:
    """Return how much so many processes did together.

    Processes are forked, so that the start of the interpreter is not part of it: the caller must
    have no connection that they would use.

    Raises
    ------
    RuntimeError
        If one of them has failed.
    """
    forks = multiprocessing.get_context("fork")
    barrier = forks.Barrier(workers)
    ends = [forks.Pipe(duplex=False) for _ in range(workers)]
    processes = [
        forks.Process(target=_run, args=(work, barrier, answer), daemon=True) for _, answer in ends
    ]
    for process in processes:
        process.start()
    for _, answer in ends:
        answer.close()
    try:
        return sum(_answer(question) for question, _ in ends)
    finally:
        for process in processes:
            process.join(PATIENCE)
            process.kill()


def _answer(question: Connection) -> int:
    try:
        done: int = question.recv()
    except EOFError:
        raise RuntimeError("a worker has failed: see its traceback above") from None
    return done


def _run(work: Work, barrier: Barrier, answer: Connection) -> None:
    def ready() -> None:
        barrier.wait(PATIENCE)

    answer.send(work(ready))
