"""IHE PIR from outside: a study comes again under the patient it really is of."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from pacs_ai.net.scu.client import PeerAddress, store
from tests.archive import Archive, archive
from tests.node import Node, node, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SECONDS = 90
RIGHT = {"PatientName": "Right^Patient", "PatientID": "RIGHT-ID", "PatientBirthDate": "19600102"}
CONFIG = """
[peers.archive]
ae_title = "ARCHIVE"
host = "127.0.0.1"
port = {port}
retry_max_seconds = 2
[[rules]]
name = "all"
model = "demo"
send_to = ["archive"]
results = ["report", "capture", "pdf"]
"""


@pytest.fixture
def ports(free_port: Callable[[], int]) -> tuple[int, int]:
    return free_port(), free_port()


@pytest.fixture
def peer(ports: tuple[int, int]) -> Iterator[Archive]:
    with archive(ports[1], ports[0]) as one:
        yield one


@pytest.fixture
def running(tmp_path: Path, ports: tuple[int, int]) -> Iterator[Node]:
    with node(tmp_path / "node", ports[0], extra=CONFIG.format(port=ports[1])) as one:
        one.start()
        yield one


def ct(folder: Path, number: int = 0, **changes: str) -> Path:
    path = get_testdata_file("CT_small.dcm")
    assert isinstance(path, str)
    dataset = pydicom.dcmread(path)
    if number:
        dataset.SOPInstanceUID = f"{dataset.SOPInstanceUID}.{number}"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    made = folder / f"{len(list(folder.iterdir()))}.dcm"
    dataset.save_as(made)
    return made


def send(one: Node, *paths: Path, called: str = "AI_NODE") -> None:
    for outcome in store(PeerAddress(called, "127.0.0.1", one.port), "MODALITY", paths):
        assert outcome.status == 0x0000


def names(objects: list[Dataset]) -> set[str]:
    return {f"{one.PatientName}/{one.PatientID}" for one in objects}


def test_a_corrected_study_replaces_and_withdraws_what_was_said(
    running: Node, peer: Archive, tmp_path: Path
):
    folder = tmp_path / "sent"
    folder.mkdir()
    send(running, ct(folder), ct(folder, 1))
    wait_for(lambda: len(peer.stored) == 3, SECONDS, lambda: running.log)
    before = list(peer.stored)

    send(running, ct(folder, **RIGHT))
    wait_for(lambda: running.states("study") == ["CONFLICT"], 20, lambda: running.log)
    assert "two patients under one study" in running.log
    assert "Right" not in running.log
    (study,) = running.listing("studies")
    shown = running.command("studies", "resolve", str(study["id"]))
    assert shown.returncode == 1
    assert {"first", "corrected"} <= set(shown.stdout.split())
    assert "PatientID, PatientName" in shown.stdout
    assert "RIGHT-ID" not in shown.stdout + shown.stderr
    assert running.states("study") == ["CONFLICT"]

    done = running.command("studies", "resolve", str(study["id"]), "--keep", "corrected")
    assert done.returncode == 0, done.stderr
    wait_for(lambda: len(peer.stored) == 7, SECONDS, lambda: running.log)
    after = peer.stored[3:]
    assert names(after) == {"Right^Patient/RIGHT-ID"}
    assert not {str(one.SOPInstanceUID) for one in after} & {
        str(one.SOPInstanceUID) for one in before
    }
    (note,) = [one for one in after if one.Modality == "KO"]
    assert note.ConceptNameCodeSequence[0].CodeValue == "113037"
    rejected = {
        str(item.ReferencedSOPInstanceUID)
        for evidence in note.CurrentRequestedProcedureEvidenceSequence
        for series in evidence.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert rejected == {str(one.SOPInstanceUID) for one in before}
    (old,) = [one for one in before if one.Modality == "SR"]
    (new,) = [one for one in after if one.Modality == "SR"]
    predecessor = new.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    named = predecessor.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert named == old.SOPInstanceUID

    send(running, ct(folder, 2))  # late, and still under the old name
    wait_for(lambda: running.states("study") == ["CONFLICT"], 20, lambda: running.log)
    again = running.command("studies", "resolve", str(study["id"]), "--keep", "corrected")
    assert again.returncode == 0, again.stderr
    wait_for(lambda: len(peer.stored) >= 9, SECONDS, lambda: running.log)
    assert names(peer.stored[3:]) == {"Right^Patient/RIGHT-ID"}
    assert len([one for one in peer.stored if one.Modality == "KO"]) == 1

    wait_for(
        lambda: running.command("studies", "delete", str(study["id"]), "--yes").returncode == 0,
        20,
        lambda: running.log,
    )
    assert running.listing("studies") == []
    assert not list((running.folder / "var" / "spool").rglob("instances/*/*.dcm"))
    send(running, ct(folder, **RIGHT))
    wait_for(lambda: running.states("study") == ["ROUTED"], SECONDS, lambda: running.log)


def test_what_waited_under_the_first_name_never_leaves_after_a_correction(
    running: Node, ports: tuple[int, int], tmp_path: Path
):
    folder = tmp_path / "sent"
    folder.mkdir()
    send(running, ct(folder))
    wait_for(lambda: running.states("delivery") == ["WAITING"] * 3, SECONDS, lambda: running.log)
    send(running, ct(folder, **RIGHT))
    wait_for(lambda: running.states("study") == ["CONFLICT"], 20, lambda: running.log)
    with archive(ports[1], ports[0]) as peer:
        (study,) = running.listing("studies")
        done = running.command("studies", "resolve", str(study["id"]), "--keep", "corrected")
        assert done.returncode == 0, done.stderr
        wait_for(lambda: len(peer.stored) == 3, SECONDS, lambda: running.log)
        wait_for(
            lambda: running.states("delivery") == ["CANCELLED"] * 3 + ["STORED"] * 3,
            20,
            lambda: running.log,
        )
        assert names(peer.stored) == {"Right^Patient/RIGHT-ID"}


def test_when_the_first_name_was_right_what_waited_leaves(
    running: Node, ports: tuple[int, int], tmp_path: Path
):
    folder = tmp_path / "sent"
    folder.mkdir()
    send(running, ct(folder))
    wait_for(lambda: running.states("delivery") == ["WAITING"] * 3, SECONDS, lambda: running.log)
    send(running, ct(folder, **RIGHT))
    wait_for(lambda: running.states("study") == ["CONFLICT"], 20, lambda: running.log)
    with archive(ports[1], ports[0]) as peer:
        (study,) = running.listing("studies")
        done = running.command("studies", "resolve", str(study["id"]), "--keep", "first")
        assert done.returncode == 0, done.stderr
        wait_for(lambda: len(peer.stored) >= 3, SECONDS, lambda: running.log)
        original = pydicom.dcmread(ct(folder))
        assert names(peer.stored) == {f"{original.PatientName}/{original.PatientID}"}
