"""The children of a node, forked from a process that has their modules instead of started anew.

`tests.preloaded` gives this to the nodes that it forks. Tests of the children themselves have real
ones (`tests.node.Node.new_children`).
"""

import fcntl
import gc
import importlib
import json
import os
import signal
import socket
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from pacs_ai.node import child_process
from pacs_ai.node.process import AdoptedProcess, become_subreaper, run_to_end

MODULES = (
    "pacs_ai.node.receiver",
    "pacs_ai.node.worker",
    "pacs_ai.node.shadow_worker",
    "pacs_ai.node.fork_server",
    "pacs_ai.web.process",
)
"""What a daemon starts."""

USED_BY_THEM = ("onnxruntime",)
"""What they import late."""

_LIMIT = 1 << 16
_MOST = 16
_COMM = 15
"""Linux keeps so many letters of a name."""

_HIGH = 500
"""Received descriptors are moved to numbers from here on: those that the daemon names are free."""


def fork_children(prepare: Callable[[], None]) -> None:
    """Have this process, which becomes a daemon, fork its children; it has one thread yet.

    Parameters
    ----------
    prepare
        What a child does first.
    """
    become_subreaper()
    orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        orders.close()
        _serve(theirs, prepare)
        os._exit(0)
    theirs.close()

    def module(
        name: str, *, listen: bool = False, keep: Sequence[int] = ()
    ) -> child_process.Launch:
        def launch(descriptors: Sequence[int]) -> AdoptedProcess:
            standard_input, *others = descriptors
            places = {0: standard_input} | {number: number for number in (*others, *keep)}
            read, write = os.pipe() if listen else (None, None)
            if write is not None:
                places[1] = write
            order = {"module": name, "places": [*places]}
            answer, tell = os.pipe()
            socket.send_fds(orders, [json.dumps(order).encode()], [tell, *places.values()])
            os.close(tell)
            with os.fdopen(answer, encoding="ascii") as report:
                process = AdoptedProcess(int(report.read()))
            if read is not None and write is not None:
                os.close(write)
                process.stdout = os.fdopen(read, "rb")
            return process

        return launch

    child_process.module = module


def _serve(orders: socket.socket, prepare: Callable[[], None]) -> None:
    """Fork for each order, until the daemon has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the daemon alone gets Ctrl-C
    gc.freeze()
    while True:
        content, descriptors, _, _ = socket.recv_fds(orders, _LIMIT, _MOST)
        if not content:
            return
        order = json.loads(content)
        between = os.fork()
        if between == 0:
            if pid := os.fork():
                os.write(descriptors[0], str(pid).encode())
                os._exit(0)  # the daemon adopts the child
            orders.close()
            os.setsid()
            run_to_end(partial(_child, order["module"], order["places"], descriptors, prepare))
        os.waitpid(between, 0)
        for one in descriptors:
            os.close(one)


def short(module: str) -> str:
    """Give what a forked child is called in /proc: the last name of its module, shortened."""
    return module.rpartition(".")[2][:_COMM]


def _child(
    name: str, places: Sequence[int], descriptors: Sequence[int], prepare: Callable[[], None]
) -> int:
    os.close(descriptors[0])
    high = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, _HIGH) for one in descriptors[1:]]
    for one in descriptors[1:]:
        os.close(one)
    for number, place in zip(high, places, strict=True):
        os.dup2(number, place)
        os.close(number)
    Path("/proc/self/comm").write_text(short(name))
    prepare()
    code: int = importlib.import_module(name).main()
    return code
