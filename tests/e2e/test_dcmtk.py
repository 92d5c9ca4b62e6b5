"""The node beside DCMTK's programs: senders, and archives that store and find again."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest

from tests.archive import Archive, to_archive
from tests.node import Node, node
from tests.samples import sample

pytestmark = pytest.mark.e2e


def test_a_study_from_dcmtk_to_the_archive_and_a_polite_end(
    running: Node, peer: Archive, tool: Callable[[str], Path]
):
    source = sample()
    command = [str(tool("storescu")), "-aec", "AI_NODE", "127.0.0.1", str(running.port)]
    subprocess.run([*command, str(source)], check=True, capture_output=True)
    running.wait_for(lambda: len(peer.stored) == 2)
    running.wait_for(lambda: running.states("delivery") == ["STORED"] * 2)
    original = pydicom.dcmread(source)
    assert {str(d.StudyInstanceUID) for d in peer.stored} == {str(original.StudyInstanceUID)}
    assert {str(d.Modality) for d in peer.stored} == {"SR", "OT"}
    (study,) = running.listing("studies")
    assert study["state"] == "ROUTED"
    assert running.stop() == 0
    for secret in (str(original.PatientName), str(original.PatientID)):
        assert secret not in running.log


def test_names_of_strangers_are_refused(running: Node, tool: Callable[[str], Path]):
    command = [str(tool("echoscu")), "127.0.0.1", str(running.port), "-aec"]
    wrong = subprocess.run([*command, "NOBODY"], capture_output=True, text=True, check=False)
    assert wrong.returncode != 0
    assert "Called AE Title Not Recognized" in wrong.stderr
    subprocess.run([*command, "AI_NODE"], check=True, capture_output=True)


@pytest.mark.slow
def test_only_listed_callers_are_let_in(
    tmp_path: Path, free_port: Callable[[], int], tool: Callable[[str], Path]
):
    port = free_port()
    with node(tmp_path / "node", port, head='accept_from = ["CT*"]') as one:
        one.start()
        command = [str(tool("echoscu")), "127.0.0.1", str(port), "-aec", "AI_NODE", "-aet"]
        subprocess.run([*command, "CT1"], check=True, capture_output=True)
        other = subprocess.run([*command, "MR1"], capture_output=True, text=True, check=False)
    assert "Calling AE Title Not Recognized" in other.stderr


def test_a_full_disk_refuses_instances_and_still_answers_an_echo(
    tmp_path: Path, free_port: Callable[[], int], tool: Callable[[str], Path]
):
    port = free_port()
    with node(tmp_path / "node", port, storage="min_free_gb = 1e9") as one:
        one.start()
        assert one.send(sample()) == [0xA700]
        echo = [str(tool("echoscu")), "127.0.0.1", str(port), "-aec", "AI_NODE"]
        subprocess.run(echo, check=True, capture_output=True)
        assert one.query("SELECT count(*) FROM instance") == [(0,)]


@contextmanager
def delivered(folder: Path, ports: tuple[int, int], *server: Path | str) -> Iterator[None]:
    """Run an archive of DCMTK's to which a node has sent the results of a study."""
    process = subprocess.Popen(server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with node(folder / "node", ports[0], extra=to_archive(ports[1])) as one:
            one.start()
            assert one.send(sample("MR_small.dcm")) == [0x0000]
            one.wait_for(lambda: one.states("delivery") == ["STORED"] * 2)
            yield
    finally:
        process.kill()
        process.wait()


def test_results_reach_dcmtks_archives(
    tmp_path: Path, ports: tuple[int, int], tool: Callable[[str], Path]
):
    stored = tmp_path / "stored"
    stored.mkdir()
    server = [tool("storescp"), "-aet", "ARCHIVE", "-od", str(stored), "+xa", str(ports[1])]
    with delivered(tmp_path, ports, *server):
        kinds = {str(pydicom.dcmread(path, force=True).Modality) for path in stored.iterdir()}
    assert kinds == {"SR", "OT"}


@pytest.mark.slow
def test_results_can_be_found_again_in_dcmtks_query_archive(
    tmp_path: Path, ports: tuple[int, int], tool: Callable[[str], Path]
):
    """dcmqrscp keeps an index of its own: what it stored it must be able to find by study."""
    folder = tmp_path / "archive"
    folder.mkdir()
    settings = tmp_path / "dcmqrscp.cfg"
    settings.write_text(
        f"NetworkTCPPort = {ports[1]}\nMaxPDUSize = 16384\nMaxAssociations = 4\n"
        f"HostTable BEGIN\nHostTable END\nVendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nARCHIVE {folder} RW (100, 1024mb) ANY\nAETable END\n",
        "ascii",
    )
    study = str(pydicom.dcmread(sample("MR_small.dcm")).StudyInstanceUID)
    query = ["-S", "-aec", "ARCHIVE", "127.0.0.1", str(ports[1]), "-k", "0008,0052=SERIES"]
    with delivered(tmp_path, ports, tool("dcmqrscp"), "-c", str(settings)):
        found = subprocess.run(
            [tool("findscu"), *query, "-k", f"0020,000D={study}", "-k", "0008,0060"],
            capture_output=True,
            text=True,
            check=True,
        )
    answers = found.stdout + found.stderr
    assert "CS [SR]" in answers
    assert "CS [OT]" in answers
