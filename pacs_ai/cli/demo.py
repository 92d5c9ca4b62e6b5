"""``pacs-ai demo``: watch the whole node at work in a minute."""

import os
import shutil
import signal
import sys
import time
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from pacs_ai.cli.options import Verbose, single
from pacs_ai.cli.tables import print_table
from pacs_ai.config.sections import Log
from pacs_ai.demo.collect import CollectedStudy
from pacs_ai.demo.npm_package import Unavailable, cache_folder, unpacked
from pacs_ai.demo.processes import HOST, NODE_TITLE
from pacs_ai.demo.run import Outcome, Say, run_demo
from pacs_ai.demo.viewer import OHIF
from pacs_ai.errors import StorageError
from pacs_ai.logs import setup_logging

app = single()

OUTPUT = Path("demo-output")

_DESKTOP = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
"""Variables of the environment; without one of them a browser of the terminal would take over."""

_COLUMNS = (
    "study",
    "modality",
    "class",
    "probability",
    "report",
    "overlays",
    "seconds",
)


@app.command()
def _demo(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            help="Your own DICOM files or folders, instead of the three studies.",
            show_default=False,
        ),
    ] = None,
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave node and archive running, and say how to send.")
    ] = False,
    viewer: Annotated[
        bool,
        typer.Option(
            "--viewer",
            help="As --keep, and show the studies in OHIF, which npm fetches the first time.",
        ),
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Send three studies through a node to an archive, all on this machine.

    Two are real (CT and MR, as packaged with pydicom), one is a phantom with a lesion at a known
    place. Reports, pictures and DICOM files are then in ./demo-output.
    """
    setup_logging(Log(level="DEBUG" if verbose else "ERROR"))
    signal.signal(signal.SIGTERM, _interrupt)
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:5.1f} s  {text}", flush=True)

    ohif = _ohif(say) if viewer else None
    outcome = run_demo(paths or [], OUTPUT, keep=keep or viewer, say=say, viewer=ohif)
    print()
    print_table(_COLUMNS, [_row(one) for one in outcome.collected])
    print()
    for line in (*_pointing(outcome.collected), *_where(outcome)):
        print(line)
    if not outcome.complete:
        print("Not every study has its report and its overlay in the archive.")
        raise typer.Exit(1)
    if address := _viewer_address(outcome):
        _open(address)


def _ohif(say: Say) -> Path | None:
    """Return the folder of OHIF; None, and why not, if it cannot be had."""
    try:
        return unpacked(OHIF, cache_folder(), shutil.which("npm")) / "dist"
    except (Unavailable, StorageError) as error:
        say(f"without the viewer: {error.message}")
        return None


def _open(address: str) -> None:
    """Open a page in the browser of a desktop; elsewhere the address that was printed is enough."""
    if sys.platform == "darwin" or any(name in os.environ for name in _DESKTOP):
        webbrowser.open(address)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """End as with Ctrl-C, so that node and archive end too."""
    raise KeyboardInterrupt


def _row(collect_study: CollectedStudy) -> list[str]:
    finding = collect_study.finding
    return [
        collect_study.study.name,
        collect_study.study.modality,
        finding.name if finding else "-",
        f"{finding.probability:.3f}" if finding else "-",
        "yes" if collect_study.reports else "no",
        str(collect_study.overlays),
        f"{collect_study.seconds:.1f}" if collect_study.seconds is not None else "-",
    ]


def _pointing(collected: Sequence[CollectedStudy]) -> list[str]:
    """Say whether the heat map points at the lesion that was drawn."""
    lines = []
    for collect_study in collected:
        if collect_study.study.lesions:
            said = {
                True: "the peak of the heat map lies inside the lesion that was drawn there",
                False: "the peak of the heat map lies OUTSIDE the lesion that was drawn there",
                None: "the lesion that was drawn there was not found",
            }[collect_study.hit]
            lines.append(f"{collect_study.study.name}: {said}")
    return lines


def _where(outcome: Outcome) -> list[str]:
    lines = [f"Reports, pictures and DICOM files: {OUTPUT}/"]
    if outcome.left_running:
        _, node, *_ = outcome.left_running
        port = node.port
        pids = " ".join(str(process.popen.pid) for process in outcome.left_running)
        lines += [
            "",
            "Node and archive go on running. Send to the node:",
            f"  storescu -aec {NODE_TITLE} {HOST} {port} file.dcm",
            f"  pacs-ai send {NODE_TITLE}@{HOST}:{port} PATH",
            "and look:",
            f"  pacs-ai studies list --config {outcome.workspace.config}",
            f"  ls {outcome.workspace.archive}",
            *([f"  {node.page()} in a browser"] if node.page() else []),
            *_in_viewer(outcome),
            "Stop them, and remove what they keep:",
            f"  kill {pids}; rm -r {outcome.workspace.folder}",
        ]
    return lines


def _in_viewer(outcome: Outcome) -> list[str]:
    """Say where OHIF shows the studies."""
    address = _viewer_address(outcome)
    if not address:
        return []
    return [
        f"  {address} in a browser: OHIF, with images and results from the node itself",
        *(
            f"  {address}viewer?StudyInstanceUIDs={one.study.study_instance_uid} ({one.study.name})"
            for one in outcome.collected
        ),
    ]


def _viewer_address(outcome: Outcome) -> str:
    viewers = outcome.left_running[2:]
    return f"http://{HOST}:{viewers[0].port}/" if viewers else ""
