"""The demonstration: studies go through a real node to an archive, over the network."""

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pacs_ai.demo.harvest import Harvest, Output, harvest, keep_sources
from pacs_ai.demo.material import Material, given_material, own_material
from pacs_ai.demo.stage import HOST, NODE_TITLE, Process, Stage
from pacs_ai.demo.watch import follow
from pacs_ai.net.scu import client
from pacs_ai.net.scu.client import PeerAddress
from pacs_ai.store.session import Database

SENDER_TITLE = "DEMO"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it, and what was left running, if it was asked for."""

    harvests: tuple[Harvest, ...]
    stage: Stage
    left_running: tuple[Process, ...]

    @property
    def complete(self) -> bool:
        """Whether every study has its report and its overlay in the archive."""
        return bool(self.harvests) and all(one.complete for one in self.harvests)


def run_demo(paths: Sequence[Path], folder: Path, *, keep: bool, say: Say) -> Outcome:
    """Run it.

    Parameters
    ----------
    paths
        Somebody's own files; none for the studies that are part of the demonstration.
    folder
        Where to write what came back.
    keep
        Leave node and archive running.
    say
        Told each step in a line.

    Raises
    ------
    PacsAIError
        If node or archive do not start, or there is nothing to send.
    """
    stage = Stage(Path(tempfile.mkdtemp(prefix="pacs-ai-demo-")))
    running: list[Process] = []
    complete = False
    try:
        archive = stage.start_archive()
        running.append(archive)
        materials = given_material(paths) if paths else own_material(stage.folder / "phantom")
        node = _start_node(stage, archive, running, say)
        sent = [material for material in materials if _send(material, node, say)]
        seconds = _follow(stage, sent, say)
        output = Output(folder)
        harvests = [
            harvest(stage.archive, output, one, seconds.get(one.study_instance_uid))
            for one in materials
        ]
        if not paths:
            for material in materials:
                keep_sources(output, material)
        left = tuple(running) if keep else ()
        outcome = Outcome(tuple(harvests), stage, left)
        complete = outcome.complete
        return outcome
    finally:
        _clear(stage, running, complete=complete, keep=keep, say=say)


def _start_node(stage: Stage, archive: Process, running: list[Process], say: Say) -> Process:
    archive.wait()
    say(f"archive listens on {HOST}:{archive.port}, process {archive.popen.pid}")
    node = stage.start_node(archive.port)
    running.append(node)
    node.wait()
    stage.configure(node.port, archive.port)  # so that other commands with this file find it
    say(f"node {NODE_TITLE} listens on {HOST}:{node.port}, process {node.popen.pid}")
    return node


def _send(material: Material, node: Process, say: Say) -> bool:
    """Send a study; False if the node took nothing of it."""
    started = time.monotonic()
    address = PeerAddress(NODE_TITLE, HOST, node.port)
    outcomes = client.store(address, SENDER_TITLE, material.files)
    for outcome in outcomes:
        if outcome.error is not None:
            say(f"{material.name}: one refused: {outcome.error.message}")
    stored = sum(outcome.verdict.delivered for outcome in outcomes)
    if stored:
        seconds = time.monotonic() - started
        say(f"{material.name}: {stored} sent in {seconds:.2f} s ({material.title})")
    return stored > 0


def _follow(stage: Stage, materials: Sequence[Material], say: Say) -> dict[str, float | None]:
    database = Database(f"sqlite:///{stage.folder / 'pacs-ai.db'}")
    try:
        return follow(database, materials, say)
    finally:
        database.close()


def _clear(
    stage: Stage, running: Sequence[Process], *, complete: bool, keep: bool, say: Say
) -> None:
    """End what runs and remove the stage, unless it is to stay or says what went wrong."""
    if keep and complete:
        return
    for process in running:
        process.ask_to_end()
    for process in running:
        process.stop()
    if complete:
        shutil.rmtree(stage.folder, ignore_errors=True)
    else:
        say(f"the logs of node and archive are in {stage.folder}")
