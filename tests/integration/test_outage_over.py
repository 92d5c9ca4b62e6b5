"""An archive comes back after an outage: all that waits arrives soon, without a storm."""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pacs_ai.clock import SystemClock
from pacs_ai.domain import TaskKind
from pacs_ai.engine.table_engine import TableEngine
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.deliver import deliver, probe
from pacs_ai.flow.recover import LeaseWatch, sweep
from pacs_ai.node.app import light_work
from tests.conftest import require
from tests.node import wait_for
from tests.ports import free_port
from tests.unit.conftest import OWNER
from tests.unit.flow.ready import Ready, another_job, dimse, ready

RESULTS = 200
PAUSE_SECONDS = 600
PROBE_SECONDS = 0.5


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


@contextmanager
def archive(folder: Path, port: int) -> Iterator[None]:
    """DCMTK's storage SCP, which serves one association at a time."""
    folder.mkdir()
    command = [require("storescp"), "--output-directory", folder, str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


@contextmanager
def workers(patient: Ready) -> Iterator[None]:
    """The threads of a daemon that deliver, and its probes, which come more often here."""
    stop, context = threading.Event(), patient.context

    def perform(_kind: TaskKind, key: str) -> None:
        deliver(context, key)

    def probes() -> None:
        while not stop.wait(PROBE_SECONDS):
            probe(context)

    shares = [one for one in light_work(context.config) if one.kinds == (TaskKind.DELIVER,)]
    threads = [
        threading.Thread(target=context.engine.run, args=(perform, one.kinds, stop))
        for one in shares
    ]
    threads.append(threading.Thread(target=probes))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        context.engine.wakeups.wake(tuple(TaskKind))
        for thread in threads:
            thread.join()


@pytest.mark.slow
def test_two_hundred_results_arrive_long_before_their_next_try(
    context: FlowContext, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A quiet machine needs a few seconds; the pause of each result is ten minutes."""
    port = free_port()
    pauses = {"retry_first_seconds": PAUSE_SECONDS, "retry_max_seconds": PAUSE_SECONDS}
    assert isinstance(context.engine, TableEngine)
    assert context.owner == OWNER
    peer = dimse(port, **pauses, keep_open_seconds=1)
    patient = ready(context, {"pacs": peer}, results=())
    jobs = [another_job(patient, "pacs", number) for number in range(RESULTS)]
    assert len(set(jobs)) == RESULTS
    sweep(patient.context, LeaseWatch())  # gives each delivery its task
    with workers(patient):
        wait_for(lambda: set(patient.states()) == {"WAITING"})
        with archive(tmp_path / "archive", port):
            begin = time.monotonic()
            wait_for(lambda: set(patient.states()) == {"STORED"})
            taken = time.monotonic() - begin
    assert len(list((tmp_path / "archive").iterdir())) == RESULTS
    terminal = request.config.get_terminal_writer()
    terminal.line(f" {RESULTS} waiting results took {taken:.1f} s")
    assert taken < PAUSE_SECONDS / 2
