"""Files of the spool go missing, short, unreadable or wrong: no fault of the data."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from pacs_ai.clock import ManualClock
from pacs_ai.config import Rule
from pacs_ai.dicom.header import read_facts, read_header
from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.domain import JobState, StudyState
from pacs_ai.errors import StorageError
from pacs_ai.flow.commitment_scp import PROCESSING_FAILURE, CommitmentScp
from pacs_ai.flow.context import FlowContext
from pacs_ai.net.scp.handlers import AssociationInfo, CommitmentRequest, StoreAnswer
from pacs_ai.results.common.evidence import read_source
from pacs_ai.results.sr.older_report import as_comprehensive_sr
from tests.unit.flow.analysed import Patient, on_a_node
from tests.unit.flow.faults import FAULTS, UNREADABLE, Fault, bad_sectors, flipped, restore

Send = Callable[..., StoreAnswer]


@pytest.fixture
def patient(context: FlowContext, clock: ManualClock, send: Send, ct: Dataset) -> Patient:
    """Three images of one study, received."""
    for number in range(3):
        ct.SOPInstanceUID = f"1.2.3.{number + 1}"
        ct.file_meta.MediaStorageSOPInstanceUID = ct.SOPInstanceUID
        assert send(ct).status == 0x0000
    return on_a_node(context, clock)


def test_the_stand_in_for_bad_sectors_gives_eio(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    bad_sectors(tmp_path / "x")
    with (
        (tmp_path / "x").open("rb", buffering=0) as file,
        pytest.raises(OSError, match=os.strerror(errno.EIO)),
    ):
        file.read(10)


@pytest.mark.parametrize("fault", UNREADABLE)
@pytest.mark.parametrize(
    "read",
    [
        read_header,
        read_pixels,
        read_source,
        as_comprehensive_sr,
        lambda path: read_facts(path, ("Modality",)),
    ],
)
def test_no_reader_takes_a_fault_of_the_disk_for_bad_data(
    tmp_path: Path, fault: Fault, read: Callable[[Path], object]
) -> None:
    file = tmp_path / "x.dcm"
    file.write_bytes(b"DICM")
    fault(file)
    with pytest.raises(StorageError):
        read(file)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_cannot_be_read_is_retried_then_failed_and_comes_right_when_it_is_back(
    patient: Patient, fault: Fault
) -> None:
    patient.route()
    file = patient.file(1)
    content = file.read_bytes()
    fault(file)
    begin = patient.clock.monotonic()
    attempts = 0
    while patient.analyse().state == JobState.WAITING:
        assert patient.job().error_code == "STORAGE"
        patient.wait()
        attempts += 1
    assert patient.job().state == JobState.FAILED
    assert patient.job().error_code == "STORAGE"
    assert attempts >= 3
    assert 30 < patient.clock.monotonic() - begin < 300
    assert patient.results() == [], "a result on the rest of the study"
    restore(file, content)
    assert patient.retry().state == JobState.SUCCEEDED
    assert len(patient.results()) == 2


def test_a_file_that_comes_back_in_time_needs_nobody(patient: Patient, tmp_path: Path) -> None:
    patient.route()
    file = patient.file()
    file.rename(tmp_path / "away")
    patient.analyse()
    patient.wait()
    patient.analyse()
    (tmp_path / "away").rename(file)
    patient.wait()
    assert patient.analyse().state == JobState.SUCCEEDED


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(lambda _: 129, id="prefix"),
        pytest.param(lambda content: content.index(b"1.2.840.10008.1.2.1") + 4, id="syntax"),
        pytest.param(lambda content: content.index(b"CompressedSamples") + 3, id="header"),
        pytest.param(lambda content: len(content) - 5000, id="pixels"),
    ],
)
def test_one_changed_bit_fails_the_job_and_nothing_leaves(
    patient: Patient, where: Callable[[bytes], int]
) -> None:
    patient.route()
    file = patient.file(2)
    content = file.read_bytes()
    flipped(file, where(content))
    job = patient.analyse()
    assert (job.state, job.error_code) == (JobState.FAILED, "CORRUPTED")
    assert patient.results() == []
    file.write_bytes(content)
    assert patient.retry().state == JobState.SUCCEEDED


@pytest.mark.parametrize("fault", [*FAULTS, flipped])
def test_a_study_waits_for_its_route_while_a_rule_cannot_read_it(
    patient: Patient, fault: Fault
) -> None:
    rule = Rule(name="heads", model="demo", when={"BodyPartExamined": "HEAD"})
    other = on_a_node(patient.context, patient.clock, rule)
    file = other.file(1)
    content = file.read_bytes()
    fault(file)
    with pytest.raises(StorageError):
        other.route()
    assert other.study().state == StudyState.COMPLETE
    assert other.study().reason.split(":")[0] in {"STORAGE", "CORRUPTED"}
    restore(file, content)
    other.route()
    assert (other.study().state, other.study().reason) == (StudyState.ROUTED, "no rule matches")


def test_without_its_mount_a_job_waits_for_hours_and_then_goes_on_by_itself(
    patient: Patient,
) -> None:
    patient.route()
    home = patient.context.spool.home
    away = home.with_name("unmounted")
    home.rename(away)
    begin = patient.clock.monotonic()
    while patient.clock.monotonic() - begin < 6 * 3600:
        assert patient.analyse().state == JobState.WAITING
        patient.wait()
    away.rename(home)
    assert patient.analyse().state == JobState.SUCCEEDED


@pytest.mark.parametrize("fault", [*FAULTS, flipped])
def test_what_cannot_be_read_back_is_never_committed_to(patient: Patient, fault: Fault) -> None:
    fault(patient.file(1))
    asked = tuple((str(CTImageStorage), f"1.2.3.{number}") for number in (1, 2, 3))
    association = AssociationInfo("a", "MODALITY", "AI_NODE", "127.0.0.1", 0.0)
    request = CommitmentRequest(association, "2.25.1", asked)
    report = CommitmentScp(patient.context).commitment_request(request)
    assert report.committed == (asked[0], asked[2])
    assert report.failed == ((*asked[1], PROCESSING_FAILURE),)
