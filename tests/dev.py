"""A small department on this machine: ``make dev`` starts it, Ctrl-C ends it.

A node, Orthanc with the configuration of ``deploy/orthanc``, OHIF on top of it, and a few studies
that Orthanc routes to the node. All of them listen on loopback only, and nothing they keep stays.
"""

import contextlib
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from pacs_ai.demo.npm_package import Unavailable, unpacked
from pacs_ai.demo.studies import DemoStudy, shipped_studies
from pacs_ai.demo.viewer import OHIF
from pacs_ai.net.scu.client import PeerAddress, store
from pacs_ai.phantom import write_phantom_study
from tests.archive import to_archive
from tests.conftest import ROOT, find_tool
from tests.integration.orthanc_server import OrthancServer
from tests.node import Node, node
from tests.ports import free_port
from tests.viewer.site import Site

HOST = "127.0.0.1"
NEEDED = {"Orthanc": "orthanc orthanc-dicomweb", "npm": "npm"}
"""Program: the packages of Debian and Ubuntu that it comes with."""
VIEWER_SETTINGS = ROOT / "deploy" / "ohif" / "app-config.js"
CT_SEED = 5

KINDS = '["report", "capture", "seg", "key_object"]'

Say = Callable[[str], None]


def absent() -> list[str]:
    """The packages that have to be installed first."""
    return [packages for name, packages in NEEDED.items() if find_tool(name) is None]


def samples(folder: Path) -> list[DemoStudy]:
    """The demonstration's studies, and a CT of several slices with a lesion."""
    phantom = write_phantom_study(folder / "ct", "CT", CT_SEED, lesion=True, slices=8)
    title = "CT, phantom with a lesion"
    stack = DemoStudy("stack", title, phantom.study_uid, phantom.modality, phantom.files, {})
    return [*shipped_studies(folder / "dx"), stack]


def send(archive: OrthancServer, studies: Sequence[DemoStudy], say: Say) -> None:
    """Send studies to the archive, as a modality would."""
    address = PeerAddress("ORTHANC", HOST, archive.dicom_port)
    for study in studies:
        outcomes = store(address, "MODALITY", study.files)
        stored = sum(outcome.error is None for outcome in outcomes)
        say(f"{study.title}: {stored} of {len(outcomes)} sent to the archive")


def addresses(archive: OrthancServer, one: Node, viewer: Site, folder: Path) -> str:
    """Where everything is."""
    return f"""
OHIF      {viewer.url}
Orthanc   http://{HOST}:{archive.http_port}   DICOM: ORTHANC@{HOST}:{archive.dicom_port}
the node  DICOM: AI_NODE@{HOST}:{one.port}
          .venv/bin/pacs-ai studies list --config {one.config}
logs      {one.folder / "log"}  {folder / "orthanc" / "orthanc.log"}

Send it more: storescu -aec ORTHANC {HOST} {archive.dicom_port} FILE...
Ctrl-C ends all of it and removes what it kept.
"""


def follow(one: Node, studies: int, say: Say) -> None:
    """Say when the results of the sample studies are in the archive."""
    one.wait_for(
        lambda: (
            len(one.states("study")) == studies
            and set(one.states("job")) == {"SUCCEEDED"}
            and set(one.states("delivery")) == {"COMMITTED"}
        )
    )
    say(f"the archive has the results of all {studies} studies: open OHIF, or load the page again")


def run(folder: Path, viewer: Path, say: Say) -> None:
    """Run everything until somebody interrupts."""
    node_port = free_port()
    archive = OrthancServer(
        find_tool("Orthanc") or Path(), folder / "orthanc", free_port(), free_port(), node_port
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(archive)
        extra = to_archive(
            archive.dicom_port,
            title="ORTHANC",
            peer="commitment = true",
            rule=f"results = {KINDS}",
        )
        one = stack.enter_context(node(folder / "node", node_port, extra=extra))
        stack.callback(lambda: one.stop() if not one.ended() else None)
        one.start()
        site = stack.enter_context(Site(viewer, VIEWER_SETTINGS, archive.http_port))
        studies = samples(folder / "studies")
        send(archive, studies, say)
        say(addresses(archive, one, site, folder))
        follow(one, len(studies), say)
        signal.pause()


def main() -> int:
    """Say what is missing, or run until Ctrl-C or SIGTERM."""

    def say(text: str) -> None:
        print(text, flush=True)  # noqa: T201 - a command

    if packages := absent():
        say(f"make dev needs more programs: apt-get install {' '.join(packages)}")
        return 1
    try:
        ohif = unpacked(OHIF, ROOT / "build" / "viewer", shutil.which("npm"))
    except Unavailable as error:
        say(f"make dev: {error.message}")
        return 1
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="pacs-ai-dev-"))
    try:
        run(folder, ohif / "dist", say)
    except KeyboardInterrupt:
        say("ended")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
