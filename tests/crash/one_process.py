"""A node in one process, without listener and workers: what pulls and earlier studies need of it.

Run as a program it is a server that forks such nodes, as all their modules take a second or two to
import: each line of its input is an order, and each line of its output says how that one ended.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import sqlalchemy as sa

from pacs_ai.config.load import load_config
from pacs_ai.domain import JobId, JobState, StudyState, TaskKind
from pacs_ai.flow.analyse import analyse
from pacs_ai.flow.completion import Completion
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.pulls import cancel_pulls, pull_studies
from pacs_ai.flow.priors.search import search_priors
from pacs_ai.flow.recover import LeaseWatch, restart, sweep
from pacs_ai.flow.retrieve.pull import Puller
from pacs_ai.flow.storage_scp import StorageScp
from pacs_ai.model.predict import Classifier
from pacs_ai.node.app import App, build_app
from pacs_ai.store.pull_table import Pull
from pacs_ai.store.pulls import PullState
from pacs_ai.store.schema import Job, Study
from tests.preloaded import install_kill

NAME = "small"
"""Of the node."""

_PAUSE = 0.02


@dataclass(frozen=True)
class Order:
    """What a node does: ask an archive for studies, or cancel them, and work until all is done.

    ``kill`` is a point as `tests.crash.hook` has it, with the flag file.
    """

    config: str
    peer: str
    studies: Sequence[str] = ()
    cancel: bool = False
    kill: str = ""


def perform(order: Order) -> None:
    """Do what an order says; returns when nothing is left to do."""
    if order.kill:
        install_kill(order.kill)
    app = build_app(load_config(Path(order.config)), owner=f"{NAME}/{uuid.uuid4().hex[:8]}/1")
    context = app.context
    restart(context, app.arrivals)
    if order.studies:
        pull_studies(context, order.peer, order.studies)
    if order.cancel:
        cancel_pulls(context, order.peer)
    _work(app)
    app.close()


def _work(app: App) -> None:
    context, classifiers = app.context, {}
    app.traffic.begin()
    puller = Puller(context, StorageScp(context, app.arrivals, app.traffic))
    completion, watch = Completion(context, app.arrivals), LeaseWatch()

    def one(kind: TaskKind, key: str) -> None:
        if kind is not TaskKind.ANALYSE:
            app.perform(kind, key)
            return
        if not classifiers:
            loaded = app.bundles.items()
            classifiers.update({name: Classifier.load(bundle) for name, bundle in loaded})
        analyse(context, classifiers, JobId(key))

    while _left(context):
        puller.sweep()
        search_priors(context)
        completion.sweep()
        sweep(context, watch)
        context.engine.drain(one, (TaskKind.ROUTE, TaskKind.ANALYSE))
        time.sleep(_PAUSE)
    for thread in threading.enumerate():
        if thread.name.startswith("pull "):
            thread.join()


def _left(context: FlowContext) -> bool:
    """Tell whether anything is still to be fetched, closed, routed or analysed."""
    open_rows = (
        sa.select(Pull.id).where(Pull.state.in_((PullState.QUEUED, PullState.RUNNING))),
        sa.select(Study.id).where(Study.state.in_((StudyState.RECEIVING, StudyState.COMPLETE))),
        sa.select(Job.id).where(
            Job.state.in_((JobState.QUEUED, JobState.RUNNING, JobState.WAITING))
        ),
    )
    with context.database.read() as session:
        return any(session.execute(query.limit(1)).first() for query in open_rows)


@contextmanager
def forking(folder: Path) -> Iterator[Callable[[Order], int]]:
    """Run the server; what is yielded performs an order in a process and returns its exit status.

    That is negative for the signal that has killed it.
    """
    log = folder / "nodes.log"
    with log.open("ab") as errors:
        server = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert server.stdin is not None
    assert server.stdout is not None
    said, asked = server.stdout, server.stdin

    def ordered(order: Order) -> int:
        print(json.dumps(asdict(order)), file=asked, flush=True)
        answer = said.readline()
        assert answer, log.read_text("utf-8")
        status = int(answer)
        assert status in (0, -signal.SIGKILL), log.read_text("utf-8")
        return status

    try:
        yield ordered
    finally:
        asked.close()
        server.wait()
        said.close()


def _serve(orders: Iterator[str]) -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the log of the nodes is not among the answers
    for line in orders:
        child = os.fork()
        if child == 0:
            perform(Order(**json.loads(line)))  # an error ends the child with its traceback
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=out, flush=True)


if __name__ == "__main__":
    _serve(sys.stdin)
