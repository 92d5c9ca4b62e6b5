"""Whom the system lets have the processor first."""

import contextlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

WORKER_NICENESS = 10
"""A worker that competes with a receiver gets a tenth of the receiver's processor time."""

WEB_NICENESS = 15
"""What serves the page gives way to the workers as well."""


def give_way(niceness: int) -> None:
    """Let others have the processor first, the receivers above all; a sender waits for them.

    On a machine with nothing else to do this changes nothing. Linux has a niceness for each thread,
    which the threads and processes inherit that it starts later, and one for each session
    (``/proc/self/autogroup``, sched(7)). One that is higher already stays: the workers of a node
    that was started with ``nice`` would else go before its receivers.
    """
    threads = Path("/proc/self/task")
    for thread in [int(one.name) for one in threads.iterdir()] if threads.exists() else [0]:
        with contextlib.suppress(OSError):  # a thread may have ended
            before = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, max(before, niceness))
    session = Path("/proc/self/autogroup")
    with contextlib.suppress(OSError, ValueError):
        before = int(session.read_text("ascii").rpartition(" ")[2])
        session.write_text(str(max(before, niceness)), "ascii")


def run_idle(call: Callable[[], T]) -> T:
    """Call a function in a thread that has the processor only while no other wants it.

    The threads and processes that it starts inherit this. Other threads of the process keep their
    priority: a transaction that waits for the processor would hold up all others that write.
    """
    with ThreadPoolExecutor(1, initializer=_become_idle) as thread:
        return thread.submit(call).result()


def _become_idle() -> None:
    with contextlib.suppress(OSError, AttributeError):  # other systems have no such policy
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
