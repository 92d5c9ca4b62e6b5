"""Results are taken back while something else goes on: what a PACS administrator finds then."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.domain import StudyId
from pacs_ai.errors import StateError
from pacs_ai.flow.analyse import analyse
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.correct import resolve
from pacs_ai.flow.deliver import probe
from pacs_ai.flow.retain import retain
from pacs_ai.store.schema import Study
from tests.both_databases import open_database
from tests.iocm_archive import IocmArchive, iocm_archive
from tests.ports import free_port
from tests.unit.flow.analysed import demo
from tests.unit.flow.ready import dimse
from tests.unit.flow.withdrawing import Send, Withdrawing, analysed

__all__ = ["open_database"]

NOTE = "rejection note"
DAY = 24 * 60 * 60.0
LATER = 400
"""Days, more than any keep time."""


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def archive(port: int) -> Iterator[IocmArchive]:
    with iocm_archive(port) as one:
        yield one


@pytest.fixture
def make(
    context: FlowContext, clock: ManualClock, send: Send, ct: Dataset, port: int
) -> Callable[..., Withdrawing]:
    """``make(**keys)`` analyses a study for an archive; keys are of the archive."""

    def made(**keys: object) -> Withdrawing:
        peer = dimse(port, ae_title="ARCHIVE", **keys)
        return analysed(context, clock, send, ct, {"archive": peer})

    return made


Make = Callable[..., Withdrawing]


def late(ct: Dataset) -> Dataset:
    """Another image of the same series."""
    other = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = f"{ct.SOPInstanceUID}.9"
    return other


def test_of_two_persons_at_once_one_withdraws(make: Make, archive: IocmArchive) -> None:
    one = make()
    one.send()
    begin = threading.Barrier(2)

    def decide(_: int) -> str:
        begin.wait()
        try:
            one.take_back()
        except StateError as error:
            return str(error)
        return "done"

    with ThreadPoolExecutor(2) as persons:
        said = sorted(persons.map(decide, range(2)))
    nothing_left = (
        "study 1 has no results that hold: none was made, or they are withdrawn already"
        " (pacs-ai results withdrawals 1)"
    )
    assert said == ["done", nothing_left]
    one.tell()
    assert len(archive.notes) == 1
    assert archive.visible() == []


def test_an_archive_that_is_down_for_a_day_is_told_when_it_is_back(make: Make, port: int) -> None:
    one = make()
    with iocm_archive(port) as archive:
        one.send()
    one.take_back()
    one.tell()
    begin = one.clock.now()
    while one.clock.now() - begin < timedelta(days=1):
        assert one.outcomes()["archive"] == [(NOTE, 2, "WAITING")]
        one.clock.advance(DAY / 12)
        one.wait()
        one.send()
    with iocm_archive(port) as back:
        back.kept = archive.kept
        assert probe(one.context) == 1
        one.send()
        assert back.visible() == []
    assert one.outcomes()["archive"] == [(NOTE, 2, "STORED")]


def test_an_archive_that_hangs_is_told_when_it_answers(make: Make, archive: IocmArchive) -> None:
    one = make(timeout_seconds=1)
    one.send()
    one.take_back()
    answers = threading.Event()

    def hang() -> None:
        answers.wait(60)

    archive.before = hang
    one.tell()
    assert one.outcomes()["archive"] == [(NOTE, 2, "WAITING")]
    answers.set()
    one.wait()
    one.send()
    assert one.outcomes()["archive"] == [(NOTE, 2, "STORED")]
    assert len({note.SOPInstanceUID for note in archive.notes}) == 1
    assert archive.visible() == []


def test_an_archive_that_refuses_the_note_is_named_with_its_answer(
    make: Make, archive: IocmArchive
) -> None:
    one = make()
    one.send()
    one.take_back()
    archive.status = 0xC000
    one.tell()
    while (found := one.outcomes()["archive"]) == [(NOTE, 2, "WAITING")]:
        one.wait()
        one.send()
    assert found == [(NOTE, 2, "FAILED")]
    [notice] = [row for row in one.deliveries() if row.withdrawn_by is None]
    assert "C000" in notice.error_text


def test_a_study_in_conflict_is_withdrawn_at_once(
    make: Make, archive: IocmArchive, send: Send, ct: Dataset
) -> None:
    """The note names the patient under whom the archive has the results."""
    one = make()
    one.send()
    before = str(ct.PatientID)
    ct.PatientID = "OTHER"
    assert send(ct).status == 0x0000
    assert one.study().state == "CONFLICT"
    one.take_back()
    one.tell()
    assert archive.visible() == []
    assert [note.PatientID for note in archive.notes] == [before]
    resolve(one.context, StudyId(1), 2)
    one.tell()
    assert len(archive.notes) == 1


def test_what_no_notice_is_waits_in_a_conflict(
    make: Make, archive: IocmArchive, send: Send, ct: Dataset
) -> None:
    one = make()
    ct.PatientID = "OTHER"
    assert send(ct).status == 0x0000
    one.send()
    assert archive.kept == {}


def test_retention_waits_until_everybody_is_told(make: Make, archive: IocmArchive) -> None:
    one = make()
    one.send()
    one.take_back()
    later = one.clock.now() + timedelta(days=LATER)
    assert retain(one.context, later) == 0
    one.tell()
    assert archive.visible() == []
    assert retain(one.context, later) == 1


def test_a_study_whose_files_and_evidence_are_removed_says_what_to_do(
    make: Make, archive: IocmArchive
) -> None:
    one = make()
    one.send()
    assert retain(one.context, one.clock.now() + timedelta(days=LATER)) == 1
    for kept in one.context.spool.root.glob("*/evidence/*.zip"):
        kept.unlink()
    with pytest.raises(StateError, match="by hand: pacs-ai studies show 1 --all"):
        one.take_back()
    assert len(archive.visible()) == 2
    with one.context.database.read() as session:
        assert session.get_one(Study, 1).state == "PURGED"


def test_each_withdrawal_names_its_own_results(make: Make, archive: IocmArchive) -> None:
    one = make()
    one.send()
    for _ in range(2):
        one.take_back()
        one.tell()
        one.again()
        one.send()
    assert archive.refused == []
    assert len(archive.kept) == 6
    assert len(archive.visible()) == 2
    named = [
        {
            str(reference.ReferencedSOPInstanceUID)
            for series in note.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
            for reference in series.ReferencedSOPSequence
        }
        for note in archive.notes
    ]
    assert [len(uids) for uids in named] == [2, 2]
    assert not named[0] & named[1]


def test_an_image_that_comes_later_brings_results_that_hold(
    make: Make, archive: IocmArchive, send: Send, ct: Dataset
) -> None:
    one = make()
    one.send()
    old = set(archive.kept)
    one.take_back()
    one.tell()
    assert send(late(ct)).status == 0x0000
    one.route()
    analyse(one.context, {"demo": demo()}, one.jobs()[-1].id)
    one.send()
    assert archive.refused == []
    new = set(archive.visible())
    assert len(new) == 2
    assert not new & old
    [earlier] = [archive.kept[uid] for uid in old if archive.kept[uid].Modality == "SR"]
    [report] = [archive.kept[uid] for uid in new if archive.kept[uid].Modality == "SR"]
    named = report.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    assert named.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == earlier.SOPInstanceUID
