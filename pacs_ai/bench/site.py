"""The run: generated studies through a node to an archive, all on this machine.

Nothing of the user's own node is touched: this one has a database, a spool and ports of its own.
"""

import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from pacs_ai.bench.book import Book, Burst, MeasuredStudy
from pacs_ai.bench.machine import machine, peak_memory
from pacs_ai.bench.workspace import BenchWorkspace
from pacs_ai.config import Config, ModelEntry
from pacs_ai.demo.processes import HOST, NODE_TITLE, Process
from pacs_ai.errors import ModelError, PacsAIError, StateError
from pacs_ai.flow.classifiers import chosen_provider
from pacs_ai.model.bundle import ModelBundle, load_bundle
from pacs_ai.model.network import ComputedBy
from pacs_ai.net.scu import client
from pacs_ai.net.scu.client import PeerAddress
from pacs_ai.phantom import Modality, write_phantom_study
from pacs_ai.phantom.copies import StudyCopies
from pacs_ai.store.session import Database
from pacs_ai.store.stage_times import stage_times

BURST = 300
"""Studies of the burst, if so many were asked for."""

_SEED = 2026
_WARM_UP = 5
_AT_ONCE = 4
"""Associations of the burst at the same time."""
_PATIENCE_SECONDS = 120.0
_POLL_SECONDS = 0.02
_MODALITIES: tuple[Modality, ...] = ("DX", "CR", "CT", "MR")
"""Which to send if the model takes several: a radiograph is one image."""
_TITLE = "BENCH"

Say = Callable[[str], None]


def bench_site(config: Config, model: ModelEntry, studies: int, say: Say) -> Book:
    """Measure.

    Parameters
    ----------
    config
        The user's: `BenchWorkspace` says what of it counts.
    model
        What analyses.
    studies
        How many are sent one after another.
    say
        Told how far it is, in a line.

    Raises
    ------
    ModelError
        If the bundle is invalid, or the model takes no kind of study that can be generated.
    PacsAIError
        If node or archive do not start, or a study is not answered.
    """
    bundle = load_bundle(model.bundle, model.sha256, config.bundles.trusted_keys)
    model = model.model_copy(update={"bundle": str(bundle.folder.resolve())})
    at = datetime.now(UTC)
    with _workspace(config, model) as workspace, contextlib.ExitStack() as stack:
        modality = _modality(bundle)
        phantom = write_phantom_study(workspace.folder / "phantom", modality, _SEED, lesion=True)
        archive, node = stack.enter_context(_started(workspace))
        say(f"node: process {node.popen.pid}, archive: process {archive.popen.pid}")
        database = Database(f"sqlite:///{workspace.folder / 'pacs-ai.db'}")
        stack.callback(database.close)
        run = _Run(workspace.folder / "sent", StudyCopies(phantom), node, database)
        for _ in range(_WARM_UP):
            run.one()
        measured = run.one_after_another(studies, say)
        burst = run.burst(min(BURST, studies), say)
        peaks = peak_memory(node.popen.pid)
    served = chosen_provider(config)(bundle, 1).computed_by
    images = len(phantom.files)
    sent = f"{modality}, generated, {images} image{'s' * (images > 1)} a study"
    described = _described(bundle, config)
    return Book(at, machine(), described, _said(served), sent, measured, burst, peaks)


@contextlib.contextmanager
def _workspace(config: Config, model: ModelEntry) -> Iterator[BenchWorkspace]:
    folder = Path(tempfile.mkdtemp(prefix="pacs-ai-bench-"))
    try:
        yield BenchWorkspace(folder, config, model)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _started(workspace: BenchWorkspace) -> Iterator[tuple[Process, Process]]:
    """Run archive and node; both have ended at the end."""
    running: list[Process] = []
    try:
        running.append(workspace.start_archive())
        running[0].wait()
        running.append(workspace.start_node(running[0].port))
        running[1].wait()
        yield running[0], running[1]
    finally:
        for process in running:
            process.ask_to_end()
        for process in running:
            process.stop()


def _modality(bundle: ModelBundle) -> Modality:
    taken = bundle.input.modalities
    for modality in _MODALITIES:
        if not taken or modality in taken:
            return modality
    raise ModelError(
        f"the model takes {', '.join(taken)}: studies of {', '.join(get_args(Modality))} can be"
        " generated"
    )


def _said(served: ComputedBy) -> str:
    """Name runtime, version, device and precision; say so where they are not those asked for."""
    return f"{served}, instead of {served.instead_of}" if served.instead_of else str(served)


def _described(bundle: ModelBundle, config: Config) -> str:
    identity = bundle.identity
    height, width = identity.input_size
    settings = config.engine.model_dump(mode="json", exclude_defaults=True)
    parts = [f"{identity.name} {identity.version}", f"{height} x {width}"]
    parts += [f"{len(identity.classes)} classes", *(f"{k} = {v}" for k, v in settings.items())]
    return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class _Run:
    """What sends studies to the node, and waits for their ends."""

    folder: Path
    copies: StudyCopies
    node: Process
    database: Database

    def one(self) -> MeasuredStudy:
        """Send one study and wait until its results are stored."""
        uid, files = self.copies.write(self.folder / "one")
        begun = self._send(files)
        return self._wait(uid, begun, time.monotonic() + _PATIENCE_SECONDS)

    def one_after_another(self, count: int, say: Say) -> list[MeasuredStudy]:
        measured = []
        step = max(1, count // 10)
        for number in range(1, count + 1):
            measured.append(self.one())
            if number % step == 0:
                say(f"{number:,} of {count:,} studies, one after another")
        return measured

    def burst(self, count: int, say: Say) -> Burst:
        """Send studies at once, and wait for all of them."""
        written = [self.copies.write(self.folder / str(number)) for number in range(count)]
        files = [file for _, paths in written for file in paths]
        megabytes = sum(file.stat().st_size for file in files) / 1e6
        say(f"{count:,} studies at once")
        began, begun = time.monotonic(), datetime.now(UTC)
        self._send_all([paths for _, paths in written])
        receive_seconds = time.monotonic() - began
        deadline = time.monotonic() + _PATIENCE_SECONDS + count
        ends = [self._wait(uid, begun, deadline).times.stored for uid, _ in written]
        seconds = (max(ends) - begun).total_seconds()
        return Burst(count, len(files), megabytes, receive_seconds, seconds)

    def _send(self, files: Sequence[Path]) -> datetime:
        begun = datetime.now(UTC)
        address = PeerAddress(NODE_TITLE, HOST, self.node.port)
        for outcome in client.store(address, _TITLE, files):
            if outcome.error is not None:
                raise outcome.error
        return begun

    def _send_all(self, studies: list[Sequence[Path]]) -> None:
        """Send each on an association of its own, some at the same time."""
        failures: list[PacsAIError] = []

        def work(own: list[Sequence[Path]]) -> None:
            try:
                for files in own:
                    self._send(files)
            except PacsAIError as error:
                failures.append(error)

        threads = [
            threading.Thread(target=work, args=(studies[first::_AT_ONCE],), daemon=True)
            for first in range(_AT_ONCE)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def _wait(self, uid: str, begun: datetime, deadline: float) -> MeasuredStudy:
        while time.monotonic() < deadline and self.node.popen.poll() is None:
            with self.database.read() as session:
                times = stage_times(session, uid)
            if times is not None:
                return MeasuredStudy(begun, times)
            time.sleep(_POLL_SECONDS)
        raise StateError(f"a study was not answered within {_PATIENCE_SECONDS:g} s")
