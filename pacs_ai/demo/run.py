"""The demonstration: studies go through a real node to an archive, over the network."""

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pacs_ai.demo.collect import CollectedStudy, Output, collect_study, keep_sources
from pacs_ai.demo.processes import HOST, NODE_TITLE, Process, Workspace
from pacs_ai.demo.studies import DemoStudy, given_studies, shipped_studies
from pacs_ai.demo.watch import follow
from pacs_ai.errors import PacsAIError
from pacs_ai.net.scu import client
from pacs_ai.net.scu.client import PeerAddress
from pacs_ai.store.session import Database

SENDER_TITLE = "DEMO"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    collected: tuple[CollectedStudy, ...]
    workspace: Workspace
    left_running: tuple[Process, ...]
    """Archive and node, and the viewer if it was asked for."""

    @property
    def complete(self) -> bool:
        """Whether every study has its report and its overlay in the archive."""
        return bool(self.collected) and all(one.complete for one in self.collected)


def run_demo(
    paths: Sequence[Path], folder: Path, *, keep: bool, say: Say, viewer: Path | None = None
) -> Outcome:
    """Run it.

    Parameters
    ----------
    paths
        The user's own files; none for the studies that are part of the demonstration.
    folder
        Where to write what came back.
    keep
        Leave node and archive running.
    say
        Told each step in a line.
    viewer
        Folder of OHIF, which is left running too; None for none.

    Raises
    ------
    PacsAIError
        If node or archive do not start, or there is nothing to send.
    """
    workspace = Workspace(Path(tempfile.mkdtemp(prefix="pacs-ai-demo-")))
    running: list[Process] = []
    complete = False
    try:
        archive = workspace.start_archive()
        running.append(archive)
        studies = given_studies(paths) if paths else shipped_studies(workspace.folder / "phantom")
        node = _start_node(workspace, archive, running, say)
        sent = [study for study in studies if _send(study, node, say)]
        seconds = _follow(workspace, sent, say)
        output = Output(folder)
        collected = [
            collect_study(workspace.archive, output, one, seconds.get(one.study_instance_uid))
            for one in studies
        ]
        if not paths:
            for study in studies:
                keep_sources(output, study)
        if keep and viewer is not None:
            running.append(_start_viewer(workspace, viewer, node, say))
        left = tuple(running) if keep else ()
        outcome = Outcome(tuple(collected), workspace, left)
        complete = outcome.complete
        return outcome
    finally:
        _clear(workspace, running, complete=complete, keep=keep, say=say)


def _start_node(
    workspace: Workspace, archive: Process, running: list[Process], say: Say
) -> Process:
    archive.wait()
    say(f"archive listens on {HOST}:{archive.port}, process {archive.popen.pid}")
    node = workspace.start_node(archive.port)
    running.append(node)
    node.wait()
    workspace.configure(node.port, archive.port)  # so that other commands with this file find it
    say(f"node {NODE_TITLE} listens on {HOST}:{node.port}, process {node.popen.pid}")
    return node


def _start_viewer(workspace: Workspace, files: Path, node: Process, say: Say) -> Process:
    viewer = workspace.start_viewer(files, node)
    try:
        viewer.wait()
    except PacsAIError:
        viewer.stop()
        raise
    say(f"viewer at http://{HOST}:{viewer.port}/, process {viewer.popen.pid}")
    return viewer


def _send(study: DemoStudy, node: Process, say: Say) -> bool:
    """Send a study; False if the node took nothing of it."""
    started = time.monotonic()
    address = PeerAddress(NODE_TITLE, HOST, node.port)
    outcomes = client.store(address, SENDER_TITLE, study.files)
    for outcome in outcomes:
        if outcome.error is not None:
            say(f"{study.name}: one refused: {outcome.error.message}")
    stored = sum(outcome.verdict.delivered for outcome in outcomes)
    if stored:
        seconds = time.monotonic() - started
        say(f"{study.name}: {stored} sent in {seconds:.2f} s ({study.title})")
    return stored > 0


def _follow(
    workspace: Workspace, studies: Sequence[DemoStudy], say: Say
) -> dict[str, float | None]:
    database = Database(f"sqlite:///{workspace.folder / 'pacs-ai.db'}")
    try:
        return follow(database, studies, say)
    finally:
        database.close()


def _clear(
    workspace: Workspace, running: Sequence[Process], *, complete: bool, keep: bool, say: Say
) -> None:
    """End what runs and remove the workspace, unless it is to stay or says what went wrong."""
    if keep and complete:
        return
    for process in running:
        process.ask_to_end()
    for process in running:
        process.stop()
    if complete:
        shutil.rmtree(workspace.folder, ignore_errors=True)
    else:
        say(f"the logs of node and archive are in {workspace.folder}")
