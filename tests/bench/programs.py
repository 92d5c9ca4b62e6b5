"""Who receives what is sent: the node, the limits, and the receivers that people use today.

Each is a process of its own with TCP_NODELAY=1, without which Debian's DCMTK (and Orthanc, which
is built on it) would wait 40 ms for every response.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.sender import TITLE, Sender, connect, send_association, send_raw
from tests.bench.states import BEFORE, ROOT, environment
from tests.conftest import find_tool
from tests.ports import free_port

NODE = """
[node]
ae_title = "{title}"
port = {port}
{more}
[storage]
min_free_gb = 0
"""
PAGE = """
[web]
port = {port}
"""
"""Tests, and so the other programs, switch the page off by the environment."""
START_SECONDS = 60
END_SECONDS = 10
SETTLE_SECONDS = 0.3


Command = Callable[[int, Path], list[str]]
"""How to start a receiver for a port and a folder."""


@dataclass(frozen=True)
class Program:
    """A receiver: how to start it for a port and a folder, and how to speak to it.

    ``slow``: one more sender drips an instance for as long as the others send. ``checkout``: of
    this repository, whose code it runs. ``page``: it serves its page, which others switch off.
    """

    name: str
    command: Command
    send: Sender = send_association
    slow: bool = False
    page: bool = False
    checkout: Path = ROOT


def module(name: str, *arguments: str) -> Callable[[int, Path], list[str]]:
    return lambda port, folder: [sys.executable, "-m", name, *arguments, str(port), str(folder)]


def node(more: str = "", *, page: bool = False, module: str = "pacs_ai") -> Command:
    """`pacs-ai listen` as people run it, but that it leaves the analysis to others.

    ``page``: it has a section on the page, which an earlier state does not know. ``module`` runs
    its commands.
    """

    def command(port: int, folder: Path) -> list[str]:
        config = folder / "pacs-ai.toml"
        web = PAGE.format(port=free_port()) if page else ""
        config.write_text(NODE.format(title=TITLE, port=port, more=more) + web, "utf-8")
        start = [sys.executable, "-m", module, "listen", "--no-workers"]
        return [*start, "--config", str(config)]

    return command


def installed(program: str) -> str:
    found = find_tool(program)
    if found is None:
        raise FileNotFoundError(f"{program} is not installed")
    return str(found)


def dcmtk(port: int, folder: Path) -> list[str]:
    return [installed("storescp"), "--fork", "-od", str(folder), str(port)]


def orthanc(port: int, folder: Path) -> list[str]:
    """Orthanc with its defaults, which flush every file."""
    config = folder / "orthanc.json"
    places = {"StorageDirectory": str(folder), "IndexDirectory": str(folder)}
    network = {"DicomPort": port, "DicomAet": TITLE, "HttpServerEnabled": False}
    config.write_text(json.dumps(places | network), "utf-8")
    return [installed("Orthanc"), str(config)]


def pynetdicom(port: int, folder: Path) -> list[str]:
    start = [sys.executable, "-m", "pynetdicom", "storescp", str(port)]
    return [*start, "-od", str(folder), "-q"]


OURS = "pacs-ai"
OLD = f"pacs-ai of {BEFORE}"
BARE = "the same without protections"
RAW = "raw TCP to file"
RAW_FSYNC = "raw TCP to file with fsync"
DCMTK = "DCMTK storescp"
ORTHANC = "Orthanc"
PYNETDICOM = "pynetdicom storescp"
TWO = "pacs-ai, 2 acceptors"
UNDISTURBED = "pacs-ai without the slow one"

ALL = {
    program.name: program
    for program in (
        Program(RAW, module("tests.bench.raw", "raw"), send_raw),
        Program(RAW_FSYNC, module("tests.bench.raw", "fsync"), send_raw),
        Program(OURS, module("tests.bench.receivers")),
        Program(BARE, module("tests.bench.raw", "bare")),
        Program(DCMTK, dcmtk),
        Program(PYNETDICOM, pynetdicom),
        Program(ORTHANC, orthanc),
    )
}
"""By name; the protocol alone."""

WHOLE = ALL | {
    OURS: Program(OURS, node()),
    OLD: Program(OLD, node()),
    TWO: Program(TWO, node("acceptors = 2")),
}
"""By name; with the node as it is: every instance checked, hashed, flushed, and in the database."""

BESIDE_A_SLOW_ONE = {name: replace(program, slow=True) for name, program in ALL.items()} | {
    UNDISTURBED: ALL[OURS]
}
"""By name; while one more sender drips."""


@contextmanager
def running(program: Program, folder: Path) -> Iterator[tuple[int, int]]:
    """Start a receiver; gives its process id and its port once it listens.

    At the end none of its processes is left: a forked one may still write when the first has ended.
    """
    port = free_port()
    more = {"PACS_AI_WEB_ENABLED": "true"} if program.page else {}
    process = subprocess.Popen(
        program.command(port, folder),
        env={**environment(program.checkout), **more, "TCP_NODELAY": "1"},
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(port, process)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait()
        end_group(process.pid)


def end_group(group: int) -> None:
    """End what is left of a group of processes, and wait until nothing is."""
    sent = signal.SIGTERM
    deadline = time.monotonic() + END_SECONDS
    with suppress(ProcessLookupError):
        while True:
            os.killpg(group, sent)
            time.sleep(0.02)
            if time.monotonic() > deadline:
                sent = signal.SIGKILL


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            connect(port).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            time.sleep(SETTLE_SECONDS)
            return
    raise TimeoutError(f"{process.args!r} does not listen")
