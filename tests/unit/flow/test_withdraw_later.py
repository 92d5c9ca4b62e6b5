"""What is sent after a withdrawal, and a withdrawal after the files of its study are removed."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from pacs_ai.flow.analyse import analyse
from pacs_ai.flow.retain import retain
from pacs_ai.withdrawal_kinds import Notice, RejectionReason
from tests.both_databases import open_database
from tests.iocm_archive import IocmArchive
from tests.unit.flow.analysed import demo
from tests.unit.flow.test_withdraw import archive, make
from tests.unit.flow.withdrawing import Send, Withdrawing

__all__ = ["archive", "make", "open_database"]


def test_a_message_corrects_one_that_still_holds(
    make: Callable[..., Withdrawing], send: Send, ct: Dataset, tmp_path: Path
) -> None:
    one = make()

    def late(uid: str) -> tuple[str, str]:
        """Analyse a further image; return order number and status of the message of it."""
        before = set((tmp_path / "watched").glob("*.hl7"))
        ct.SOPInstanceUID = ct.file_meta.MediaStorageSOPInstanceUID = uid
        assert send(ct).status == 0x0000
        one.route()
        analyse(one.context, {"demo": demo()}, one.jobs()[-1].id)
        one.send()
        [new] = set((tmp_path / "watched").glob("*.hl7")) - before
        [request] = [
            line for line in new.read_bytes().decode().split("\r") if line.startswith("OBR|")
        ]
        fields = request.split("|")
        return fields[3], fields[25]

    one.send()
    order, status = late("1.2.77.1")
    assert status == "C"
    one.take_back()
    one.tell()
    assert late("1.2.77.2") == (order, "R")
    assert late("1.2.77.3") == (order, "C")


def purged(one: Withdrawing) -> None:
    """Let the keep time of the files end."""
    one.send()
    one.clock.advance(timedelta(days=8).total_seconds())
    assert retain(one.context) == 1
    assert not [row.path for row in one.results() if row.path]


def test_results_are_taken_back_after_their_files_are_removed(
    make: Callable[..., Withdrawing], archive: IocmArchive, tmp_path: Path
) -> None:
    one = make()
    purged(one)
    uid = one.study().study_instance_uid
    sent = set(archive.asked(uid))
    assert len(sent) == 2
    one.take_back(RejectionReason.PATIENT_SAFETY)
    one.tell()
    assert archive.asked(uid) == []
    assert archive.rejected == dict.fromkeys(sent, "113037")
    notes = [
        one.context.spool.path_of(row.path) for row in one.results() if row.kind == Notice.NOTE
    ]
    for note in map(pydicom.dcmread, notes):
        assert (note.PatientID, note.StudyInstanceUID) == ("1CT1", uid)
    messages = [path.read_text() for path in (tmp_path / "watched").glob("*.hl7")]
    [withdrawal] = [text for text in messages if "NTE|1||" in text]
    assert "1CT1" in withdrawal
    retain(one.context)
    assert not [row.path for row in one.results() if row.path]
    assert [note.exists() for note in notes] == [False, False]
