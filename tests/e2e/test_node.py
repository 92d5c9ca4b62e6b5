"""The whole node from outside: DCMTK sends, an archive receives, things go wrong."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from pacs_ai.net.scu.c_store import StoreOutcome
from pacs_ai.net.scu.client import PeerAddress, store
from tests.archive import Archive, archive
from tests.node import Node, node, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

TO_ARCHIVE = """
[peers.archive]
ae_title = "ARCHIVE"
host = "127.0.0.1"
port = {port}
retry_max_seconds = 2
[[rules]]
name = "all"
model = "demo"
send_to = ["archive"]
"""


def sample(name: str) -> Path:
    path = get_testdata_file(name)
    assert isinstance(path, str)
    return Path(path)


def copy(tmp_path: Path, name: str, **changes: object) -> Path:
    """A file like one of pydicom's, with attributes changed and a UID of its own."""
    dataset = pydicom.dcmread(sample(name))
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.dcm"
    dataset.save_as(path)
    return path


def send(one: Node, *paths: Path) -> list[StoreOutcome]:
    return store(PeerAddress("AI_NODE", "127.0.0.1", one.port), "MODALITY", paths)


@pytest.fixture
def ports(free_port: Callable[[], int]) -> tuple[int, int]:
    return free_port(), free_port()


@pytest.fixture
def peer(ports: tuple[int, int]) -> Iterator[Archive]:
    with archive(ports[1], ports[0]) as one:
        yield one


@pytest.fixture
def running(tmp_path: Path, ports: tuple[int, int]) -> Iterator[Node]:
    with node(tmp_path / "node", ports[0], extra=TO_ARCHIVE.format(port=ports[1])) as one:
        one.start()
        yield one


def test_a_study_from_dcmtk_to_the_archive_and_a_polite_end(
    running: Node, peer: Archive, tool: Callable[[str], Path]
):
    source = sample("CT_small.dcm")
    command = [str(tool("storescu")), "-aec", "AI_NODE", "127.0.0.1", str(running.port)]
    subprocess.run([*command, str(source)], check=True, capture_output=True)
    wait_for(lambda: len(peer.stored) == 2, 45, lambda: running.log)
    wait_for(lambda: running.states("delivery") == ["STORED"] * 2, 10, lambda: running.log)
    original = pydicom.dcmread(source)
    assert {str(d.StudyInstanceUID) for d in peer.stored} == {str(original.StudyInstanceUID)}
    assert {str(d.Modality) for d in peer.stored} == {"SR", "OT"}
    (study,) = running.listing("studies")
    assert study["state"] == "ROUTED"
    assert running.stop() == 0
    for secret in (str(original.PatientName), str(original.PatientID)):
        assert secret not in running.log


def test_own_results_coming_back_are_stored_and_start_nothing(running: Node, peer: Archive):
    send(running, sample("CT_small.dcm"))
    wait_for(lambda: len(peer.stored) == 2, 45, lambda: running.log)
    folder = running.folder / "back"
    folder.mkdir()
    paths = []
    for number, dataset in enumerate(peer.stored):
        path = folder / f"{number}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    assert [outcome.status for outcome in send(running, *paths)] == [0x0000, 0x0000]
    (study,) = running.query("SELECT state, revision FROM study")
    assert study == ("ROUTED", 1)
    reasons = running.query("SELECT unusable_reason FROM instance ORDER BY id")
    assert reasons == [("",), ("own result",), ("own result",)]


def test_a_late_image_makes_a_revision_whose_report_replaces_the_first(
    running: Node, peer: Archive, tmp_path: Path
):
    folder = tmp_path / "late"
    folder.mkdir()
    send(running, sample("CT_small.dcm"))
    wait_for(lambda: len(peer.stored) == 2, 45, lambda: running.log)
    first = next(d for d in peer.stored if d.Modality == "SR")
    uid = str(pydicom.dcmread(sample("CT_small.dcm")).SOPInstanceUID)
    send(running, copy(folder, "CT_small.dcm", SOPInstanceUID=f"{uid}.1", InstanceNumber=2))
    wait_for(
        lambda: len([d for d in peer.stored if d.Modality == "SR"]) == 2, 45, lambda: running.log
    )
    second = [d for d in peer.stored if d.Modality == "SR"][1]
    assert second.SOPInstanceUID != first.SOPInstanceUID
    ((predecessor,),) = [
        [r.ReferencedSOPInstanceUID for r in series.ReferencedSOPSequence]
        for study in second.PredecessorDocumentsSequence
        for series in study.ReferencedSeriesSequence
    ]
    assert predecessor == first.SOPInstanceUID
    assert len(peer.uids()) == len(set(peer.uids()))


def test_pixels_that_cannot_be_decoded_end_in_a_reason_and_never_in_a_score(
    running: Node, peer: Archive, tmp_path: Path
):
    folder = tmp_path / "bad"
    folder.mkdir()
    bad = copy(folder, "CT_small.dcm", Rows=4096)
    assert [outcome.status for outcome in send(running, bad)] == [0x0000]
    wait_for(lambda: running.states("job") == ["REJECTED"], 45, lambda: running.log)
    (job,) = running.listing("jobs")
    assert job["error_code"] == "UNSUPPORTED_PIXELS"
    assert job["error_text"]
    assert peer.stored == []


def test_a_study_without_a_fitting_image_is_rejected_with_a_reason(running: Node, tmp_path: Path):
    folder = tmp_path / "us"
    folder.mkdir()
    other = copy(folder, "CT_small.dcm", Modality="US")
    send(running, other)
    wait_for(lambda: running.states("job") == ["REJECTED"], 45, lambda: running.log)
    (job,) = running.listing("jobs")
    assert job["error_code"] == "NO_FITTING_SERIES"


def test_a_pacs_that_is_down_gets_everything_when_it_is_back(running: Node, ports: tuple[int, int]):
    send(running, sample("CT_small.dcm"), sample("MR_small.dcm"))
    wait_for(lambda: "WAITING" in running.states("delivery"), 45, lambda: running.log)
    with archive(ports[1], ports[0]) as peer:
        wait_for(lambda: running.states("delivery") == ["STORED"] * 4, 45, lambda: running.log)
        assert len(set(peer.uids())) == 4


def test_a_pacs_that_objects_for_too_long_leaves_a_failed_delivery_that_can_be_retried(
    tmp_path: Path, ports: tuple[int, int], peer: Archive
):
    impatient = TO_ARCHIVE.format(port=ports[1]).replace(
        "[[rules]]", "retry_hours = 0.001\n[[rules]]"
    )
    with node(tmp_path / "node", ports[0], extra=impatient) as running:
        running.start()
        peer.status = 0xA900
        send(running, sample("CT_small.dcm"))
        wait_for(lambda: running.states("delivery") == ["FAILED"] * 2, 60, lambda: running.log)
        for row in running.listing("deliveries"):
            assert row["error_code"] == "STORE_REFUSED"
            assert row["attempt"] >= 3
        peer.status = 0x0000
        for row in running.listing("deliveries"):
            assert running.command("deliveries", "retry", str(row["id"])).returncode == 0
        wait_for(lambda: len(peer.stored) == 2, 30, lambda: running.log)


def test_names_of_strangers_are_refused(running: Node, tool: Callable[[str], Path]):
    command = [str(tool("echoscu")), "127.0.0.1", str(running.port), "-aec"]
    wrong = subprocess.run([*command, "NOBODY"], capture_output=True, text=True, check=False)
    assert wrong.returncode != 0
    assert "Called AE Title Not Recognized" in wrong.stderr
    subprocess.run([*command, "AI_NODE"], check=True, capture_output=True)


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
        (outcome,) = send(one, sample("CT_small.dcm"))
        assert outcome.status == 0xA700
        echo = [str(tool("echoscu")), "127.0.0.1", str(port), "-aec", "AI_NODE"]
        subprocess.run(echo, check=True, capture_output=True)
        assert one.query("SELECT count(*) FROM instance") == [(0,)]


def test_two_patients_under_one_study_hold_everything_until_resolved(
    running: Node, peer: Archive, tmp_path: Path
):
    folder = tmp_path / "conflict"
    folder.mkdir()
    uid = str(pydicom.dcmread(sample("CT_small.dcm")).SOPInstanceUID)
    other = copy(folder, "CT_small.dcm", SOPInstanceUID=f"{uid}.1", PatientID="SOMEBODY ELSE")
    assert [o.status for o in send(running, sample("CT_small.dcm"), other)] == [0x0000] * 2
    wait_for(lambda: running.states("study") == ["CONFLICT"], 10, lambda: running.log)
    (study,) = running.listing("studies")
    assert peer.stored == []
    shown = running.command("studies", "resolve", str(study["id"]))
    assert shown.returncode == 1
    assert "corrected" in shown.stdout
    done = running.command("studies", "resolve", str(study["id"]), "--keep", "first")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: len(peer.stored) >= 2, 45, lambda: running.log)


def test_a_second_daemon_on_the_same_spool_is_refused(running: Node):
    second = running.command("listen", "--port", "0")
    assert second.returncode == 2
    assert "another pacs-ai daemon" in second.stderr


def test_results_reach_dcmtks_archives(
    tmp_path: Path, ports: tuple[int, int], tool: Callable[[str], Path]
):
    stored = tmp_path / "stored"
    stored.mkdir()
    server = subprocess.Popen(
        [str(tool("storescp")), "-aet", "ARCHIVE", "-od", str(stored), "+xa", str(ports[1])],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with node(tmp_path / "node", ports[0], extra=TO_ARCHIVE.format(port=ports[1])) as one:
            one.start()
            send(one, sample("MR_small.dcm"))
            wait_for(lambda: one.states("delivery") == ["STORED"] * 2, 45, lambda: one.log)
    finally:
        server.kill()
        server.wait()
    kinds = {str(pydicom.dcmread(path, force=True).Modality) for path in stored.iterdir()}
    assert kinds == {"SR", "OT"}


def test_no_tensorflow_in_a_started_daemon(running: Node):
    assert running.process is not None
    children = Path(f"/proc/{running.process.pid}/task").glob("*/children")
    children = [pid for file in children for pid in file.read_text().split()]
    assert children, "no worker process"
    for pid in [str(running.process.pid), *children]:
        maps = Path(f"/proc/{pid}/maps")
        if maps.exists():
            assert "site-packages/tensorflow" not in maps.read_text()


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
    server = subprocess.Popen(
        [str(tool("dcmqrscp")), "-c", str(settings)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with node(tmp_path / "node", ports[0], extra=TO_ARCHIVE.format(port=ports[1])) as one:
            one.start()
            send(one, sample("MR_small.dcm"))
            wait_for(lambda: one.states("delivery") == ["STORED"] * 2, 45, lambda: one.log)
        study = str(pydicom.dcmread(sample("MR_small.dcm")).StudyInstanceUID)
        query = ["-S", "-aec", "ARCHIVE", "127.0.0.1", str(ports[1]), "-k", "0008,0052=SERIES"]
        found = subprocess.run(
            [str(tool("findscu")), *query, "-k", f"0020,000D={study}", "-k", "0008,0060"],
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        server.kill()
        server.wait()
    answers = found.stdout + found.stderr
    assert "CS [SR]" in answers
    assert "CS [OT]" in answers


def test_a_rule_may_depend_on_the_name_a_caller_used(tmp_path: Path, free_port: Callable[[], int]):
    port = free_port()
    rules = '[[rules]]\nname = "urgent"\nmodel = "demo"\nwhen = { CalledAET = "URGENT" }\n'
    with node(tmp_path / "node", port, head='other_ae_titles = ["URGENT"]', extra=rules) as one:
        one.start()
        send(one, sample("CT_small.dcm"))
        wait_for(lambda: one.states("study") == ["ROUTED"], 30, lambda: one.log)
        assert one.states("job") == []
        urgent = PeerAddress("URGENT", "127.0.0.1", port)
        store(urgent, "MODALITY", [sample("MR_small.dcm")])
        wait_for(lambda: one.states("job") == ["SUCCEEDED"], 45, lambda: one.log)
