"""Loads the models once and forks workers, which share the memory of the models.

The process has one thread: a fork copies the memory, but of the threads only the one that forks.
So each network is computed by the worker's own thread, and threads start in the worker.
"""

import contextlib
import gc
import os
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial

from pacs_ai.errors import PacsAIError
from pacs_ai.flow.classifiers import load_bundles
from pacs_ai.logs import get_logger
from pacs_ai.node import child_process
from pacs_ai.node.forks import DESCRIPTORS, READY
from pacs_ai.node.process import run_to_end
from pacs_ai.node.worker import load_models, work
from pacs_ai.node.worker_choice import choose_workers

_log = get_logger()


def main() -> int:
    """Load the models, then fork a worker for each request, until the daemon closes the socket."""
    child = child_process.read_message()
    control = socket.socket(fileno=child.settings["control"])
    try:
        models = load_models(child.config, load_bundles(child.config), threads=1)
    except PacsAIError as error:
        _log.error("worker cannot start", error=error.code, reason=error.message)
        return error.exit_code

    def become_worker(descriptors: Sequence[int]) -> int:
        control.close()
        standard_input, heartbeats, wakeups = descriptors
        os.dup2(standard_input, sys.stdin.fileno())
        os.close(standard_input)
        return work(child_process.set_up(heartbeats, wakeups), models)

    chosen = choose_workers(child.config, models) if child.settings["choose"] else 0
    gc.collect()
    gc.freeze()  # a collection would write to the pages of all that was loaded, and so copy them
    with contextlib.suppress(ConnectionError):
        control.sendall(bytes([READY, chosen > 1]))
        while descriptors := socket.recv_fds(control, 1, DESCRIPTORS)[1]:
            control.sendall(str(_fork(partial(become_worker, descriptors))).encode())
            for one in descriptors:
                os.close(one)
    return 0


def _fork(run: Callable[[], int]) -> int:
    """Run a function in a new process whose parent is the daemon; return its process id."""
    answer, tell = os.pipe()
    between = os.fork()
    if between == 0:
        if (pid := os.fork()) == 0:
            os.setsid()
            os.close(answer)
            os.close(tell)
            run_to_end(run)
        os.write(tell, str(pid).encode())
        os._exit(0)  # the worker has no parent now: the daemon adopts it
    os.close(tell)
    with open(answer, encoding="ascii") as pid_file:  # noqa: PTH123 - a descriptor
        text = pid_file.read()
    os.waitpid(between, 0)
    return int(text)


if __name__ == "__main__":
    run_to_end(main)
