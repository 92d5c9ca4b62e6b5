"""Results are taken back: what waits is cancelled, and who has got them is told in its way."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.domain import StudyId, TaskKind
from pacs_ai.errors import StateError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.correct import resolve
from pacs_ai.flow.operate import studies
from pacs_ai.flow.recover import LeaseWatch, sweep
from pacs_ai.store.viewing import shown_results
from pacs_ai.withdrawal_kinds import RejectionReason
from tests.both_databases import open_database
from tests.iocm_archive import IocmArchive, iocm_archive
from tests.unit.flow.ready import dimse
from tests.unit.flow.withdrawing import Send, Withdrawing, analysed, folder_peer

__all__ = ["open_database"]

NOTE = ("rejection note", 2, "STORED")


@pytest.fixture
def archive(free_port: Callable[[], int]) -> Iterator[IocmArchive]:
    with iocm_archive(free_port()) as one:
        yield one


@pytest.fixture
def make(
    context: FlowContext,
    clock: ManualClock,
    send: Send,
    ct: Dataset,
    archive: IocmArchive,
    tmp_path: Path,
) -> Callable[..., Withdrawing]:
    """``make(**keys)`` analyses a study for an archive and a folder; keys are of the archive."""

    def made(**keys: object) -> Withdrawing:
        peer = dimse(archive.port, ae_title="ARCHIVE", **keys)
        watched = folder_peer(tmp_path / "watched")
        return analysed(context, clock, send, ct, {"archive": peer, "watched": watched})

    return made


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (RejectionReason.QUALITY, "113001"),
        (RejectionReason.WORKLIST, "113038"),
    ],
)
def test_an_archive_with_iocm_hides_what_is_withdrawn(
    make: Callable[..., Withdrawing], archive: IocmArchive, reason: RejectionReason, code: str
) -> None:
    one = make()
    one.send()
    uid = one.study().study_instance_uid
    sent = set(archive.asked(uid))
    assert len(sent) == 2
    said = one.take_back(reason)
    assert {(o.destination, o.way) for o in said.outcomes} == {
        ("archive", "to be told"),
        ("watched", "to be told"),
    }
    one.tell()
    assert archive.asked(uid) == []
    assert archive.rejected == dict.fromkeys(sent, code)
    assert one.outcomes()["archive"] == [NOTE]
    one.tell()
    assert len(archive.notes) == 1


def test_results_made_again_are_others_and_name_the_withdrawn_report(
    make: Callable[..., Withdrawing], archive: IocmArchive
) -> None:
    one = make()
    one.send()
    old = set(archive.kept)
    one.take_back()
    one.tell()
    one.again()
    one.send()
    new = set(archive.asked(one.study().study_instance_uid))
    assert len(new) == 2
    assert not new & old
    assert archive.refused == []
    [report] = [archive.kept[uid] for uid in new if archive.kept[uid].Modality == "SR"]
    [earlier] = [archive.kept[uid] for uid in old if archive.kept[uid].Modality == "SR"]
    named = report.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    assert named.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == earlier.SOPInstanceUID


def test_a_bundle_that_is_made_again_names_the_withdrawn_one(
    make: Callable[..., Withdrawing], tmp_path: Path
) -> None:
    one = make()
    one.send()
    [old] = (tmp_path / "watched").glob("*.json")
    one.take_back()
    one.tell()
    told = set((tmp_path / "watched").glob("*.json"))
    one.again()
    one.send()
    [new] = set((tmp_path / "watched").glob("*.json")) - told
    before, after = (json.loads(path.read_text())["entry"][0]["resource"] for path in (old, new))
    [said] = after["extension"]
    assert said["valueReference"]["identifier"] in before["identifier"]


def test_a_note_names_the_report_that_takes_the_place(
    make: Callable[..., Withdrawing], archive: IocmArchive
) -> None:
    one = make()
    one.send()
    one.take_back()
    one.again()
    one.tell()
    [note] = archive.notes
    [text] = [item.TextValue for item in note.ContentSequence if item.ValueType == "TEXT"][-1:]
    [report] = [r for r in one.results() if r.kind == "report" and r.withdrawal_id is None]
    assert report.sop_instance_uid in text


def test_what_waits_never_leaves(make: Callable[..., Withdrawing], archive: IocmArchive) -> None:
    one = make()
    one.take_back()
    assert {d.state for d in one.deliveries()} == {"CANCELLED"}
    one.tell()
    assert archive.kept == {}
    assert one.outcomes() == {
        "archive": [("never sent", 2, "CANCELLED")],
        "watched": [("never sent", 4, "CANCELLED")],
    }


def test_what_is_being_sent_is_told_when_it_has_gone_out(
    make: Callable[..., Withdrawing], archive: IocmArchive
) -> None:
    """The person decides between the last look and the answer of the archive."""
    one = make()

    def decide() -> None:
        if not archive.kept:
            one.take_back()

    archive.before = decide
    one.send()
    assert len(archive.kept) == 1
    sweep(one.context, LeaseWatch())
    with one.context.database.read() as session:
        assert list(one.context.engine.existing(session, TaskKind.WITHDRAW)) == ["1"]
    one.tell()
    assert archive.visible() == []


def test_an_archive_without_iocm_gets_a_report_in_the_place_of_the_withdrawn_one(
    make: Callable[..., Withdrawing], archive: IocmArchive
) -> None:
    one = make(withdrawal="supersede")
    one.send()
    [old] = [d for d in archive.kept.values() if d.Modality == "SR"]
    one.take_back()
    one.tell()
    assert archive.notes == []
    [new] = [d for d in archive.kept.values() if d.Modality == "SR" and d != old]
    assert new.SeriesInstanceUID != old.SeriesInstanceUID
    named = new.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    assert named.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == old.SOPInstanceUID
    assert one.outcomes()["archive"] == [("report that takes its place", 2, "STORED")]


def test_a_peer_that_wants_no_notes_is_not_told(
    make: Callable[..., Withdrawing], archive: IocmArchive
) -> None:
    one = make(rejection_note=False)
    one.send()
    one.take_back()
    one.tell()
    assert archive.notes == []
    assert one.outcomes()["archive"] == [("not told (rejection_note = false)", 2, "STORED")]


def test_documents_come_again_marked_as_wrong(
    make: Callable[..., Withdrawing], tmp_path: Path
) -> None:
    one = make()
    one.send()
    before = set((tmp_path / "watched").iterdir())
    one.take_back()
    one.tell()
    new = set((tmp_path / "watched").iterdir()) - before
    assert sorted(path.suffix for path in new) == [".dcm", ".hl7", ".json"]
    [note] = [path for path in new if path.suffix == ".dcm"]
    assert pydicom.dcmread(note).Modality == "KO"
    assert sorted(one.outcomes()["watched"]) == [
        ("corrected fhir bundle", 1, "STORED"),
        ("corrected hl7 message", 1, "STORED"),
        NOTE,
    ]


def test_it_is_shown_no_more_and_the_timeline_says_who_and_why(
    make: Callable[..., Withdrawing],
) -> None:
    one = make()
    with one.context.database.read() as session:
        assert shown_results(session, 1)
    one.take_back(RejectionReason.PATIENT_SAFETY)
    with one.context.database.read() as session:
        assert shown_results(session, 1) == []
    [outcome] = studies.get_study(one.context, "1").outcome
    assert outcome.startswith("demo: withdrawn: ")
    notes = [event.note for event in studies.show_study(one.context, "1").events]
    assert "4 results withdrawn: patient-safety" in notes


def test_only_results_that_hold_can_be_withdrawn(make: Callable[..., Withdrawing]) -> None:
    one = make()
    with pytest.raises(StateError, match="no results of other that hold"):
        one.take_back(model="other")
    one.take_back(model="demo")
    with pytest.raises(StateError, match="no results that hold"):
        one.take_back()


def test_of_a_deleted_study_no_result_is_known(make: Callable[..., Withdrawing]) -> None:
    one = make()
    one.send()
    studies.delete_study(one.context, "1")
    with pytest.raises(StateError, match="no results that hold"):
        one.take_back()


def test_a_corrected_patient_is_told_to_receivers_of_documents_too(
    make: Callable[..., Withdrawing], send: Send, ct: Dataset, tmp_path: Path
) -> None:
    one = make()
    one.send()
    before = set((tmp_path / "watched").glob("*.hl7"))
    old_name = str(ct.PatientID)
    ct.PatientID = "RIGHT"
    assert send(ct).status == 0x0000
    resolve(one.context, StudyId(1), 2)
    one.tell()
    [path] = set((tmp_path / "watched").glob("*.hl7")) - before
    segments = [line.split("|") for line in path.read_bytes().decode().split("\r") if line]
    assert {line[11] for line in segments if line[0] == "OBX"} == {"O", "W"}
    assert [line[3] for line in segments if line[0] == "PID"] == [f"{old_name}^^^^PI"]
