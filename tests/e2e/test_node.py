"""The whole node from outside: a sender, an archive, and what goes wrong between them."""

from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

from tests.archive import Archive, archive, to_archive
from tests.node import Node, node
from tests.samples import changed, sample

pytestmark = pytest.mark.e2e


def test_own_results_coming_back_are_stored_and_start_nothing(running: Node, peer: Archive):
    running.send(sample())
    running.wait_for(lambda: len(peer.stored) == 2)
    folder = running.folder / "back"
    folder.mkdir()
    paths = []
    for number, dataset in enumerate(peer.stored):
        path = folder / f"{number}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    assert running.send(*paths) == [0x0000, 0x0000]
    (study,) = running.query("SELECT state, revision FROM study")
    assert study == ("ROUTED", 1)
    reasons = running.query("SELECT unusable_reason FROM instance ORDER BY id")
    assert reasons == [("",), ("own result",), ("own result",)]


def test_a_late_image_makes_a_revision_whose_report_replaces_the_first(
    running: Node, peer: Archive, tmp_path: Path
):
    folder = tmp_path / "late"
    running.send(sample())
    running.wait_for(lambda: len(peer.stored) == 2)
    first = next(d for d in peer.stored if d.Modality == "SR")
    uid = str(pydicom.dcmread(sample()).SOPInstanceUID)
    running.send(changed(folder, SOPInstanceUID=f"{uid}.1", InstanceNumber=2))
    running.wait_for(lambda: len([d for d in peer.stored if d.Modality == "SR"]) == 2)
    second = [d for d in peer.stored if d.Modality == "SR"][1]
    assert second.SOPInstanceUID != first.SOPInstanceUID
    ((predecessor,),) = [
        [r.ReferencedSOPInstanceUID for r in series.ReferencedSOPSequence]
        for study in second.PredecessorDocumentsSequence
        for series in study.ReferencedSeriesSequence
    ]
    assert predecessor == first.SOPInstanceUID
    assert len(peer.uids()) == len(set(peer.uids()))


@pytest.mark.slow
def test_pixels_that_cannot_be_decoded_end_in_a_reason_and_never_in_a_score(
    running: Node, peer: Archive, tmp_path: Path
):
    folder = tmp_path / "bad"
    bad = changed(folder, Rows=4096)
    assert running.send(bad) == [0x0000]
    running.wait_for(lambda: running.states("job") == ["REJECTED"])
    (job,) = running.listing("jobs")
    assert job["error_code"] == "UNSUPPORTED_PIXELS"
    assert job["error_text"]
    assert peer.stored == []


def test_a_study_without_a_fitting_image_is_rejected_with_a_reason(running: Node, tmp_path: Path):
    folder = tmp_path / "us"
    other = changed(folder, Modality="US")
    running.send(other)
    running.wait_for(lambda: running.states("job") == ["REJECTED"])
    (job,) = running.listing("jobs")
    assert job["error_code"] == "NO_FITTING_SERIES"


def test_a_pacs_that_is_down_gets_everything_when_it_is_back(running: Node, ports: tuple[int, int]):
    running.send(sample(), sample("MR_small.dcm"))
    running.wait_for(lambda: "WAITING" in running.states("delivery"))
    with archive(ports[1], ports[0]) as peer:
        running.wait_for(lambda: running.states("delivery") == ["STORED"] * 4)
        assert len(set(peer.uids())) == 4


@pytest.mark.slow
def test_a_pacs_that_objects_for_too_long_leaves_a_failed_delivery_that_can_be_retried(
    tmp_path: Path, ports: tuple[int, int], peer: Archive
):
    impatient = to_archive(ports[1], peer="retry_max_seconds = 2\nretry_hours = 0.001")
    with node(tmp_path / "node", ports[0], extra=impatient) as running:
        running.start()
        peer.status = 0xA900
        running.send(sample())
        running.wait_for(lambda: running.states("delivery") == ["FAILED"] * 2)
        for row in running.listing("deliveries"):
            assert row["error_code"] == "STORE_REFUSED"
            assert row["attempt"] >= 3
        peer.status = 0x0000
        for row in running.listing("deliveries"):
            assert running.command("deliveries", "retry", str(row["id"])).returncode == 0
        running.wait_for(lambda: len(peer.stored) == 2)


def test_two_patients_under_one_study_hold_everything_until_resolved(
    running: Node, peer: Archive, tmp_path: Path
):
    folder = tmp_path / "conflict"
    uid = str(pydicom.dcmread(sample()).SOPInstanceUID)
    other = changed(folder, SOPInstanceUID=f"{uid}.1", PatientID="SOMEBODY ELSE")
    assert running.send(sample(), other) == [0x0000] * 2
    running.wait_for(lambda: running.states("study") == ["CONFLICT"])
    (study,) = running.listing("studies")
    assert peer.stored == []
    shown = running.command("studies", "resolve", str(study["id"]))
    assert shown.returncode == 1
    assert "corrected" in shown.stdout
    done = running.command("studies", "resolve", str(study["id"]), "--keep", "first")
    assert done.returncode == 0, done.stderr
    running.wait_for(lambda: len(peer.stored) >= 2)


@pytest.mark.slow
def test_a_second_daemon_on_the_same_spool_is_refused(running: Node):
    second = running.command("listen", "--port", "0")
    assert second.returncode == 2
    assert "another pacs-ai daemon" in second.stderr


@pytest.mark.slow
def test_no_tensorflow_in_a_started_daemon(running: Node):
    assert running.process is not None
    tasks = Path(f"/proc/{running.process.pid}/task")

    def children() -> list[str]:
        return [pid for file in tasks.glob("*/children") for pid in file.read_text().split()]

    running.wait_for(lambda: bool(children()))  # they start after the port is open
    for pid in [str(running.process.pid), *children()]:
        maps = Path(f"/proc/{pid}/maps")
        if maps.exists():
            assert "site-packages/tensorflow" not in maps.read_text()


@pytest.mark.slow
def test_a_rule_may_depend_on_the_name_a_caller_used(tmp_path: Path, free_port: Callable[[], int]):
    port = free_port()
    rules = '[[rules]]\nname = "urgent"\nmodel = "demo"\nwhen = { CalledAET = "URGENT" }\n'
    with node(tmp_path / "node", port, head='other_ae_titles = ["URGENT"]', extra=rules) as one:
        one.start()
        one.send(sample())
        one.wait_for(lambda: one.states("study") == ["ROUTED"])
        assert one.states("job") == []
        one.send(sample("MR_small.dcm"), called="URGENT")
        one.wait_for(lambda: one.states("job") == ["SUCCEEDED"])
