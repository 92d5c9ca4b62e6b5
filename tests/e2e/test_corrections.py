"""IHE PIR from outside: a study comes again under the patient it really is of."""

from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from tests.archive import Archive, archive
from tests.node import Node
from tests.samples import changed, sample

pytestmark = pytest.mark.e2e

RIGHT = {"PatientName": "Right^Patient", "PatientID": "RIGHT-ID", "PatientBirthDate": "19600102"}


@pytest.fixture
def rule() -> str:
    return 'results = ["report", "capture", "pdf"]'


def ct(folder: Path, number: int = 0, **changes: str) -> Path:
    if number:
        changes["SOPInstanceUID"] = f"{pydicom.dcmread(sample()).SOPInstanceUID}.{number}"
    return changed(folder, **changes)


def send(one: Node, *paths: Path) -> None:
    assert set(one.send(*paths)) == {0}


def names(objects: list[Dataset]) -> set[str]:
    return {f"{one.PatientName}/{one.PatientID}" for one in objects}


def test_a_corrected_study_replaces_and_withdraws_what_was_said(
    running: Node, peer: Archive, tmp_path: Path
):
    folder = tmp_path / "sent"
    send(running, ct(folder), ct(folder, 1))
    running.wait_for(lambda: len(peer.stored) == 3)
    before = list(peer.stored)

    send(running, ct(folder, **RIGHT))
    running.wait_for(lambda: running.states("study") == ["CONFLICT"])
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
    running.wait_for(lambda: len(peer.stored) == 7)
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
    running.wait_for(lambda: running.states("study") == ["CONFLICT"])
    again = running.command("studies", "resolve", str(study["id"]), "--keep", "corrected")
    assert again.returncode == 0, again.stderr
    running.wait_for(lambda: len(peer.stored) >= 9)
    assert names(peer.stored[3:]) == {"Right^Patient/RIGHT-ID"}
    assert len([one for one in peer.stored if one.Modality == "KO"]) == 1

    running.wait_for(
        lambda: running.command("studies", "delete", str(study["id"]), "--yes").returncode == 0,
    )
    assert running.listing("studies") == []
    assert not list((running.folder / "var" / "spool").rglob("instances/*/*.dcm"))
    send(running, ct(folder, **RIGHT))
    running.wait_for(lambda: running.states("study") == ["ROUTED"])


@pytest.mark.slow
@pytest.mark.parametrize("kept", ["corrected", "first"])
def test_what_waited_leaves_under_the_name_that_is_kept(
    running: Node, ports: tuple[int, int], tmp_path: Path, kept: str
):
    folder = tmp_path / "sent"
    send(running, ct(folder))
    running.wait_for(lambda: running.states("delivery") == ["WAITING"] * 3)
    send(running, ct(folder, **RIGHT))
    running.wait_for(lambda: running.states("study") == ["CONFLICT"])
    with archive(ports[1], ports[0]) as peer:
        (study,) = running.listing("studies")
        done = running.command("studies", "resolve", str(study["id"]), "--keep", kept)
        assert done.returncode == 0, done.stderr
        cancelled = ["CANCELLED"] * 3 if kept == "corrected" else []
        running.wait_for(lambda: running.states("delivery") == cancelled + ["STORED"] * 3)
        first = pydicom.dcmread(sample())
        name = RIGHT if kept == "corrected" else {one: first[one].value for one in RIGHT}
        assert names(peer.stored) == {f"{name['PatientName']}/{name['PatientID']}"}
