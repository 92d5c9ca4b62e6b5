"""What a sender is told, and what is on disk and in the database when it is told."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian, SecondaryCaptureImageStorage

from pacs_ai.domain import StudyState
from pacs_ai.errors import NoSpace
from pacs_ai.flow import recover
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.integrity import check_instances
from pacs_ai.flow.receive import open_incoming
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.results.common.context import MANUFACTURER, MODEL_NAME
from pacs_ai.store.schema import Event, Identity, Instance, Study
from tests.unit.flow.conftest import arrive
from tests.unit.flow.faults import bad_sectors

Send = Callable[..., StoreAnswer]


def rows(context: FlowContext) -> list[Instance]:
    with context.database.read() as session:
        return list(session.scalars(sa.select(Instance).order_by(Instance.id)))


def the_study(context: FlowContext) -> Study:
    with context.database.read() as session:
        return session.scalars(sa.select(Study)).one()


def files(context: FlowContext, folder: str) -> list[Path]:
    return sorted((context.spool.home / folder).rglob("*.dcm"))


def nothing_half_stored(context: FlowContext) -> bool:
    return not list((context.spool.home / "tmp").iterdir())


def test_success_means_a_file_and_a_row(context: FlowContext, ct: Dataset, send: Send):
    assert send(ct).status == 0x0000
    (row,) = rows(context)
    assert context.spool.path_of(row.path).is_file()
    assert row.sop_instance_uid == ct.SOPInstanceUID
    assert nothing_half_stored(context)


def test_no_patient_data_in_the_database(context: FlowContext, ct: Dataset, send: Send):
    ct.PatientName, ct.PatientID, ct.AccessionNumber = "CANARY^NAME", "CANARY-ID", "CANARY-ACC"
    ct.PatientBirthDate = "19330405"
    send(ct)
    with context.database.read() as session:
        raw = session.connection().connection.driver_connection
        assert raw is not None
        dump = "\n".join(raw.iterdump())
    assert ct.StudyInstanceUID in dump
    assert "CANARY" not in dump
    assert "19330405" not in dump


def test_identical_instance_again_is_a_success_without_effect(
    context: FlowContext, ct: Dataset, send: Send
):
    assert send(ct).status == 0x0000
    assert send(ct).status == 0x0000
    assert len(rows(context)) == 1
    assert len(files(context, "instances")) == 1
    assert nothing_half_stored(context)


def test_other_content_under_the_same_uid_is_refused(context: FlowContext, ct: Dataset, send: Send):
    send(ct)
    before = context.spool.path_of(rows(context)[0].path).read_bytes()
    ct.PixelData = bytes(len(ct.PixelData))
    answer = send(ct)
    assert answer.status == 0xC003
    assert answer.comment
    assert context.spool.path_of(rows(context)[0].path).read_bytes() == before
    assert len(files(context, "instances")) == 1
    with context.database.read() as session:
        notes = session.scalars(sa.select(Event.note).where(Event.entity == "instance")).all()
    assert notes == ["other content refused"]


def test_other_content_can_be_kept_beside_the_first(
    make_context: Callable[..., FlowContext], ct: Dataset
):
    context = make_context(on_conflict="keep_both")
    arrivals = Arrivals()
    arrive(context, arrivals, ct, "a")
    ct.PixelData = bytes(len(ct.PixelData))
    assert arrive(context, arrivals, ct, "a").status == 0xB000
    assert len(rows(context)) == 1
    assert len(files(context, "quarantine")) == 1


def test_same_image_with_changed_header_is_set_aside(context: FlowContext, ct: Dataset, send: Send):
    send(ct)
    ct.StationName = "ROUTER"
    assert send(ct).status == 0x0000
    assert len(rows(context)) == 1
    assert len(files(context, "variants")) == 1
    assert the_study(context).state == StudyState.RECEIVING


def test_same_image_for_another_patient_holds_the_study(
    context: FlowContext, ct: Dataset, send: Send
):
    send(ct)
    ct.PatientID = "SOMEBODY ELSE"
    assert send(ct).status == 0x0000
    assert the_study(context).state == StudyState.CONFLICT


def test_same_image_in_another_transfer_syntax_is_set_aside(
    context: FlowContext, ct: Dataset, send: Send
):
    send(ct)
    ct.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    assert send(ct).status == 0x0000
    assert len(files(context, "variants")) == 1


def test_other_patient_under_the_study_is_stored_and_holds_it(
    context: FlowContext, ct: Dataset, send: Send
):
    send(ct)
    ct.PatientID, ct.SOPInstanceUID = "SOMEBODY ELSE", ct.SOPInstanceUID + ".1"
    ct.file_meta.MediaStorageSOPInstanceUID = ct.SOPInstanceUID
    assert send(ct).status == 0x0000
    assert len(rows(context)) == 2
    assert the_study(context).state == StudyState.CONFLICT


def test_patient_id_may_be_missing(context: FlowContext, ct: Dataset, send: Send):
    del ct.PatientID
    assert send(ct).status == 0x0000
    assert len(rows(context)) == 1


@pytest.mark.parametrize(
    ("keyword", "status"),
    [("StudyInstanceUID", 0xC002), ("SeriesInstanceUID", 0xC002), ("SOPInstanceUID", 0xC002)],
)
def test_missing_uids_are_refused(
    context: FlowContext, ct: Dataset, send: Send, keyword: str, status: int
):
    uid = str(ct.SOPInstanceUID)
    delattr(ct, keyword)
    assert send(ct, sop_instance_uid=uid).status == status
    assert rows(context) == []
    assert files(context, "instances") == []
    assert nothing_half_stored(context)


@pytest.mark.parametrize("uid", ["../../etc/passwd", "1.2.x", "1.2/3", "1." * 40 + "1", "1 2"])
@pytest.mark.filterwarnings("ignore:.*UI")
def test_uids_with_other_characters_are_refused(
    context: FlowContext, ct: Dataset, send: Send, uid: str
):
    instance = str(ct.SOPInstanceUID)
    ct.StudyInstanceUID = uid
    assert send(ct, sop_instance_uid=instance).status == 0x0117
    assert rows(context) == []


def test_data_set_must_agree_with_the_command(ct: Dataset, send: Send):
    assert send(ct, sop_class_uid="1.2.840.10008.5.1.4.1.1.4").status == 0xA900
    assert send(ct, sop_instance_uid="1.2.3.4").status == 0xA901


def test_truncated_data_set_is_refused(context: FlowContext, ct: Dataset):
    assert arrive(context, Arrivals(), ct, "a", cut=100).status == 0xC000
    assert rows(context) == []
    assert nothing_half_stored(context)


def test_full_disk_refuses_before_a_byte_is_written(make_context: Callable[..., FlowContext]):
    context = make_context()
    config = context.config.model_copy(
        update={"storage": context.config.storage.model_copy(update={"min_free_gb": 1e9})}
    )
    full = replace(context, config=config)
    with pytest.raises(NoSpace):
        open_incoming(full)
    assert nothing_half_stored(context)


def test_own_result_is_stored_and_opens_no_revision(context: FlowContext, ct: Dataset, send: Send):
    ct.Manufacturer, ct.ManufacturerModelName = MANUFACTURER, MODEL_NAME
    assert send(ct).status == 0x0000
    (row,) = rows(context)
    assert row.unusable_reason == "own result"


def test_derived_secondary_capture_is_stored_and_never_analysed(
    context: FlowContext, ct: Dataset, send: Send
):
    ct.SOPClassUID = ct.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    ct.ImageType = ["DERIVED", "SECONDARY"]
    assert send(ct).status == 0x0000
    assert rows(context)[0].unusable_reason == "secondary capture: not analysed"


def test_restart_adopts_orphans_and_removes_parts(context: FlowContext, ct: Dataset, send: Send):
    send(ct)
    (row,) = rows(context)
    with context.write() as transaction:
        for table in (Instance, Identity, Study):
            transaction.execute(sa.delete(table))
    context.spool.new_incoming()
    broken = context.spool.home / "instances" / "ab" / "abc.dcm"
    broken.write_bytes(b"no DICOM")
    recover.restart(context, Arrivals())
    (adopted,) = rows(context)
    assert adopted.path == row.path
    assert the_study(context).state == StudyState.RECEIVING
    assert nothing_half_stored(context)
    assert [path.name for path in files(context, "quarantine")] == ["abc.dcm"]


def test_restart_reports_rows_without_a_file_until_it_is_back(
    context: FlowContext, ct: Dataset, send: Send, tmp_path: Path
):
    send(ct)
    file = context.spool.path_of(rows(context)[0].path)
    file.rename(tmp_path / "away")
    recover.restart(context, Arrivals())
    (row,) = rows(context)
    assert row.missing
    assert row.unusable_reason == "", "the study must not go on without it"
    (tmp_path / "away").rename(file)
    recover.restart(context, Arrivals())
    assert not rows(context)[0].missing


@pytest.mark.parametrize("fault", [Path.unlink, lambda file: file.write_bytes(b"cut off")])
def test_the_same_instance_again_takes_the_place_of_a_file_that_was_lost(
    context: FlowContext, ct: Dataset, send: Send, fault: Callable[[Path], object]
):
    send(ct)
    first = context.spool.path_of(rows(context)[0].path)
    fault(first)
    assert send(ct).status == 0x0000
    (row,) = rows(context)
    check_instances(context.spool, [row])
    assert [context.spool.path_of(row.path)] == files(context, "instances")


def test_an_orphan_that_cannot_be_read_does_not_keep_the_node_down(context: FlowContext):
    orphan = context.spool.home / "instances" / "ab" / "abc.dcm"
    orphan.touch()
    bad_sectors(orphan)
    recover.restart(context, Arrivals())
    assert orphan.is_symlink()
    assert rows(context) == []
