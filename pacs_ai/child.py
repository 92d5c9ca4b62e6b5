"""Child processes of the daemon: how one begins, and how it never outlives who started it.

A child gets its order as one line of JSON on standard input, which stays open as long as the
daemon lives. Where it closes, however the daemon ended, the child ends.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pacs_ai.app import App
from pacs_ai.config import Config
from pacs_ai.logs import setup_logging

RESTART_SECONDS = 2.0
"""A child that died younger than this is replaced this much later: it must not spin."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a child is to do: the node's configuration, its own name, and what else it was told."""

    config: Config
    owner: str
    more: dict[str, Any]
    stop: threading.Event
    """Set by SIGTERM."""


def start(
    app: App, module: str, name: str, *, listen: bool = False, **more: object
) -> tuple[subprocess.Popen[bytes], str]:
    """Start a child, from the daemon.

    Parameters
    ----------
    app
        The node.
    module
        What it runs; its ``main`` begins with `begin`.
    name
        Its name beside those of the node and of this run of it.
    listen
        Whether what it prints is to be read.
    more
        The rest of its order, as JSON takes it.

    Returns
    -------
    tuple
        The process, and the owner that its leases carry.
    """
    node, boot, _ = app.context.owner.split("/")
    owner = f"{node}/{boot}/{name}"
    process = subprocess.Popen(  # noqa: S603 - a module of ours
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if listen else None,
        start_new_session=True,  # Ctrl-C at a terminal is for the daemon to pass on
    )
    order = {"config": app.context.config.model_dump(mode="json"), "owner": owner, **more}
    assert process.stdin is not None  # noqa: S101 - PIPE was asked for
    process.stdin.write(json.dumps(order).encode() + b"\n")
    process.stdin.flush()
    return process, owner


def end(processes: Iterable[subprocess.Popen[bytes]], seconds: float) -> None:
    """Let children finish, all at once and within so many seconds; then end those that have not."""
    children = list(processes)
    for child in children:
        child.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + seconds
    for child in children:
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def begin() -> Order:
    """Take the order, in the child; from its main thread, before anything else."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    order = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    config = Config.model_validate(order.pop("config"))
    setup_logging(config.log, config.debug_file())
    return Order(config, order.pop("owner"), order, stop)


def _end_with_parent() -> None:
    """End when standard input closes: the daemon is gone, and nobody would supervise us."""
    # unbuffered: a reader that waits inside a lock could not be ended at exit
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)
