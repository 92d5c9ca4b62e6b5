"""Studies are fetched from real archives; a list survives the end of the node."""

import subprocess
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from tests.conftest import require
from tests.integration.orthanc_server import OrthancServer
from tests.node import Node, node, wait_for
from tests.ports import free_port

pytestmark = pytest.mark.integration

PEER = """
[peers.archive]
ae_title = "{title}"
host = "127.0.0.1"
port = {port}
retry_first_seconds = 0.2
retry_max_seconds = 1
{more}
"""


def studies(folder: Path, count: int) -> dict[str, Path]:
    """Make small studies; their UIDs, and a file of each."""
    folder.mkdir()
    made = {}
    for number in range(count):
        one = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
        one.StudyInstanceUID, one.SeriesInstanceUID = generate_uid(), generate_uid()
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        one.save_as(folder / f"{number}.dcm")
        made[str(one.StudyInstanceUID)] = folder / f"{number}.dcm"
    return made


@contextmanager
def dcmqrscp(folder: Path, port: int, node_port: int) -> Iterator[None]:
    """Run DCMTK's archive with the node as a known destination."""
    (folder / "data").mkdir(parents=True)
    config = folder / "dcmqrscp.cfg"
    config.write_text(
        textwrap.dedent(f"""\
            NetworkTCPPort = {port}
            MaxPDUSize = 16384
            MaxAssociations = 16
            HostTable BEGIN
            node = (AI_NODE, 127.0.0.1, {node_port})
            HostTable END
            VendorTable BEGIN
            VendorTable END
            AETable BEGIN
            ARCHIVE {folder / "data"} RW (500, 1024mb) ANY
            AETable END
            """)
    )
    process = subprocess.Popen([require("dcmqrscp"), "-c", config], stderr=subprocess.DEVNULL)
    try:
        echo = [require("echoscu"), "-aec", "ARCHIVE", "127.0.0.1", str(port)]
        wait_for(lambda: subprocess.run(echo, capture_output=True, check=False).returncode == 0)
        yield
    finally:
        process.terminate()
        process.wait()


def fetched(one: Node) -> set[str]:
    return {str(row[0]) for row in one.query("SELECT study_instance_uid FROM study")}


def test_orthanc_sends_what_was_asked_for(tmp_path: Path) -> None:
    made = studies(tmp_path / "studies", 3)
    port = free_port()
    ports = free_port(), free_port(), port
    with OrthancServer(Path(require("Orthanc")), tmp_path / "o", *ports, route=False) as orthanc:
        for path in made.values():
            orthanc.upload(path)
        extra = PEER.format(title="ORTHANC", port=orthanc.dicom_port, more="pull_per_minute = 600")
        with node(tmp_path / "node", port, extra=extra) as one:
            one.start()
            done = one.command("pull", "--from", "archive", *made)
            assert done.returncode == 0, done.stderr
            one.wait_for(lambda: fetched(one) == set(made))
            one.wait_for(lambda: "3 DONE" in one.command("pull").stderr)
            again = one.command("pull", "--from", "archive", *made)
            assert "0 studies to be fetched from archive; 3 known already" in again.stdout


@pytest.mark.parametrize("way", ["move", "get"])
def test_a_list_survives_a_kill(tmp_path: Path, way: str) -> None:
    made = studies(tmp_path / "studies", 12)
    port, archive_port = free_port(), free_port()
    with dcmqrscp(tmp_path / "archive", archive_port, port):
        send = [require("storescu"), "-aec", "ARCHIVE", "127.0.0.1", str(archive_port)]
        subprocess.run([*send, *made.values()], check=True, capture_output=True)
        more = f'pull_per_minute = 240\nretrieve = "{way}"'
        extra = PEER.format(title="ARCHIVE", port=archive_port, more=more)
        with node(tmp_path / "node", port, extra=extra) as one:
            one.start()
            file = tmp_path / "list"
            file.write_text("# studies\n" + "\n".join(made))
            done = one.command("pull", "--from", "archive", "--list", str(file))
            assert done.returncode == 0, done.stderr
            one.wait_for(lambda: len(fetched(one)) >= 2)
            one.kill()
            left = len(made) - len(fetched(one))
            one.start()
            one.wait_for(lambda: fetched(one) == set(made))
            assert left > 0, "the kill came too late to show anything"
            one.wait_for(lambda: "12 DONE" in one.command("pull").stderr)
