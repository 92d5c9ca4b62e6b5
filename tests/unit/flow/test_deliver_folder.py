"""Results that go to a folder: the same steps and rows as for a DICOM node."""

import pytest

from pacs_ai.config import FolderPeer
from pacs_ai.domain import TaskKind
from pacs_ai.flow.commitment_scu import ask_again, remind
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.deliver import probe
from tests.unit.flow.ready import Ready, ready


@pytest.fixture
def patient(context: FlowContext) -> Ready:
    """Two results wait for a folder that is not there yet."""
    path = context.spool.root.parent / "watched"
    peer = FolderPeer(kind="folder", path=path, retry_hours=1)
    return ready(context, {"pacs": peer})


def test_results_are_delivered_and_nobody_is_asked_for_commitment(patient: Ready) -> None:
    folder = patient.context.config.peers["pacs"].path
    folder.mkdir()
    assert patient.deliver() == ["STORED"] * 2
    assert {row.status_code for row in patient.rows()} == {None}
    assert sorted(path.name for path in folder.iterdir()) == ["2.25.1.dcm", "2.25.2.dcm"]
    remind(patient.context)
    assert patient.tasks(TaskKind.COMMIT) == []
    assert ask_again(patient.context, patient.job) == []
    assert patient.states() == ["STORED"] * 2


def test_a_folder_that_comes_back_gets_what_waits(patient: Ready) -> None:
    assert patient.deliver() == ["WAITING"] * 2
    assert {one.error_code for one in patient.rows()} == {"FOLDER_UNAVAILABLE"}
    assert probe(patient.context) == 0
    patient.context.config.peers["pacs"].path.mkdir()
    assert probe(patient.context) == 1
    assert patient.states() == ["PENDING"] * 2
    assert patient.deliver() == ["STORED"] * 2


def test_a_folder_that_never_comes_costs_the_delivery_after_its_time(patient: Ready) -> None:
    begin = patient.context.now()
    while patient.deliver() == ["WAITING"] * 2:
        patient.wait()
    assert patient.states() == ["FAILED"] * 2
    assert {one.error_code for one in patient.rows()} == {"RETRIES_OVER"}
    assert (patient.context.now() - begin).total_seconds() >= 3600
