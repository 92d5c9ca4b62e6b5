"""Limits for work on a file of unknown origin: it runs in a process of its own."""

import multiprocessing
import resource
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from pacs_ai.errors import BundleInvalid, PacsAIError

T = TypeVar("T")


def within_limits(
    work: Callable[..., T],
    *given: Any,  # noqa: ANN401 - as the function takes them
    seconds: float,
    memory: int,
) -> T:
    """Run a function in another process, and end it when it needs too much.

    Parameters
    ----------
    work, given
        A function of a module, and what it is called with.
    seconds
        Time that it may take.
    memory
        Bytes of memory that it may have.

    Raises
    ------
    BundleInvalid
        If the process needs more time, or ends by itself without an answer.
    """
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_answer, args=(theirs, memory, work, given))
    process.start()
    theirs.close()
    try:
        if not ours.poll(seconds):
            raise BundleInvalid(f"the network could not be imported within {seconds:g} seconds")
        found: T | PacsAIError = ours.recv()
    except EOFError as error:
        raise BundleInvalid(
            "the process that imported the network ended: " + _why(process)
        ) from error
    finally:
        process.kill()
        process.join()
        ours.close()
    if isinstance(found, PacsAIError):
        raise found
    return found


def _answer(answer: Connection, memory: int, work: Callable[..., Any], given: Any) -> None:  # noqa: ANN401 - see above
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other process ends this one
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    try:
        answer.send(work(*given))
    except PacsAIError as error:
        answer.send(error)
    except MemoryError:
        answer.send(BundleInvalid(f"the import needs more than {memory >> 20} MiB of memory"))


def _why(process: multiprocessing.process.BaseProcess) -> str:
    process.join(1)
    code = process.exitcode
    return signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
