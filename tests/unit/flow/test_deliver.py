"""Each outcome of a delivery, against an archive that listens, with a clock that tests move."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from pacs_ai.domain import StudyState, TaskKind
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.deliver import deliver, probe
from pacs_ai.net.scp.handlers import ReceivedInstance, StoreAnswer
from pacs_ai.store.schema import Study
from tests import net_peer as net
from tests import odd_peer as odd
from tests.unit.flow.ready import SC, Ready, dimse, ready

FIRST = "2.25.1"
PRIVATE_CLASS = "1.2.840.10008.5.1.4.1.1.999"

Answer = Callable[[ReceivedInstance], StoreAnswer]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[net.Node]:
    folder = tmp_path / "archive"
    folder.mkdir()
    with net.running(folder) as node:
        yield node


@pytest.fixture
def patient(context: FlowContext, archive: net.Node) -> Ready:
    """Two results wait for the archive."""
    return ready(context, {"pacs": dimse(archive.port)})


def only_captures(request: bytes) -> bytes:
    """Accept the contexts of one class."""
    return odd.acceptance(
        [
            odd.answered(
                one.number, 0 if one.abstract == SC.encode() else 3, net.item(0x40, one.syntaxes[0])
            )
            for one in odd.proposed(request)
        ]
    )


def first_answered(status: int) -> Answer:
    return lambda received: StoreAnswer(status if received.sop_instance_uid == FIRST else 0)


def test_all_of_a_job_goes_out_on_one_association(patient: Ready, archive: net.Node) -> None:
    assert patient.deliver() == ["STORED"] * 2
    assert list(archive.recorder.datasets) == ["2.25.1", "2.25.2"]
    assert archive.recorder.outcomes() == ["released"]
    for row in patient.rows():
        assert (row.status_code, row.error_code, row.stored_at) == (0, "", patient.context.now())
        assert patient.arrows(row)[-2:] == ["SENDING", "STORED"]
    assert patient.tasks(TaskKind.COMMIT) == []


def test_what_is_stored_is_not_sent_again(patient: Ready, archive: net.Node) -> None:
    patient.deliver()
    patient.deliver()
    assert len(archive.recorder.opened_for) == 1


def test_a_warning_is_a_success_with_a_note(patient: Ready, archive: net.Node) -> None:
    archive.recorder.answer = first_answered(0xB007)
    assert patient.deliver() == ["STORED"] * 2
    first, second = patient.rows()
    assert (first.status_code, first.error_text) == (0xB007, "stored with status 0xB007")
    assert (second.status_code, second.error_text) == (0, "")


@pytest.mark.parametrize(("status", "refusals"), [(0xA700, 0), (0xA900, 1), (0xC000, 1)])
def test_what_is_not_taken_waits_and_the_rest_is_stored(
    patient: Ready, archive: net.Node, status: int, refusals: int
) -> None:
    archive.recorder.answer = first_answered(status)
    assert patient.deliver() == ["WAITING", "STORED"]
    row = patient.rows()[0]
    assert (row.status_code, row.error_code, row.refusals) == (status, "STORE_REFUSED", refusals)
    assert row.due_at is not None
    assert timedelta(0) < row.due_at - patient.context.now() < timedelta(seconds=2)
    archive.recorder.answer = lambda _: StoreAnswer(0)
    patient.wait()
    assert patient.tasks(TaskKind.DELIVER) == [f"{patient.job}:pacs"]
    assert patient.deliver() == ["STORED"] * 2
    assert patient.arrows(row)[-5:] == ["SENDING", "WAITING", "PENDING", "SENDING", "STORED"]


def test_commitment_is_asked_for_what_was_stored(context: FlowContext, archive: net.Node) -> None:
    archive.recorder.answer = first_answered(0xA700)
    patient = ready(context, {"pacs": dimse(archive.port, commitment=True)})
    assert patient.deliver() == ["WAITING", "STORED"]
    assert patient.tasks(TaskKind.COMMIT) == [f"{patient.job}:pacs"]


def test_commitment_is_not_asked_where_nothing_was_stored(
    context: FlowContext, archive: net.Node
) -> None:
    archive.recorder.answer = lambda _: StoreAnswer(0xA700)
    patient = ready(context, {"pacs": dimse(archive.port, commitment=True)})
    assert patient.deliver() == ["WAITING"] * 2
    assert patient.tasks(TaskKind.COMMIT) == []


def test_a_class_that_is_not_taken_is_refused(context: FlowContext) -> None:
    results = ({"sop_class_uid": PRIVATE_CLASS}, {"sop_class_uid": SC})
    with odd.listening(odd.OddPeer(answer=only_captures)) as address:
        patient = ready(context, {"pacs": dimse(address.port)}, results=results)
        assert patient.deliver() == ["WAITING", "STORED"]
    row = patient.rows()[0]
    assert (row.error_code, row.refusals, row.status_code) == ("CONTEXT_REJECTED", 1, None)


def test_an_archive_that_is_back_gets_all_at_once(
    context: FlowContext, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    port = free_port()
    patient = ready(context, {"pacs": dimse(port)})
    assert patient.deliver() == ["WAITING"] * 2
    assert {row.error_code for row in patient.rows()} == {"PEER_UNREACHABLE"}
    assert not any(row.may_be_held for row in patient.rows())
    assert probe(patient.context) == 0
    assert patient.states() == ["WAITING"] * 2
    settings = replace(net.SETTINGS, port=port)
    (tmp_path / "archive").mkdir()
    with net.running(tmp_path / "archive", settings):
        assert probe(patient.context) == 1
        assert patient.states() == ["PENDING"] * 2
        assert patient.tasks(TaskKind.DELIVER) == [f"{patient.job}:pacs"]
        assert patient.deliver() == ["STORED"] * 2


def test_an_archive_that_rejects_the_association_is_probed(
    context: FlowContext, archive: net.Node
) -> None:
    patient = ready(context, {"pacs": dimse(archive.port, ae_title="SOMEONE_ELSE")})
    assert patient.deliver() == ["WAITING"] * 2
    assert {row.error_code for row in patient.rows()} == {"ASSOCIATION_REJECTED"}
    assert probe(patient.context) == 0
    patient.context.config.peers["pacs"] = dimse(archive.port)
    assert probe(patient.context) == 1
    assert patient.deliver() == ["STORED"] * 2


def test_a_destination_that_refuses_is_not_probed(patient: Ready, archive: net.Node) -> None:
    archive.recorder.answer = lambda _: StoreAnswer(0xA700)
    assert patient.deliver() == ["WAITING"] * 2
    assert probe(patient.context) == 0
    assert patient.states() == ["WAITING"] * 2


def test_retries_end_after_their_hours(context: FlowContext, free_port: Callable[[], int]) -> None:
    patient = ready(context, {"pacs": dimse(free_port(), retry_hours=2, retry_max_seconds=600)})
    begin = context.now()
    while patient.deliver() == ["WAITING"] * 2:
        patient.wait()
    assert patient.states() == ["FAILED"] * 2
    assert {row.error_code for row in patient.rows()} == {"RETRIES_OVER"}
    assert all("cannot be reached" in row.error_text for row in patient.rows())
    assert timedelta(hours=2) <= context.now() - begin < timedelta(hours=3)


def test_a_node_that_was_off_has_not_used_up_its_retries(
    context: FlowContext, free_port: Callable[[], int]
) -> None:
    patient = ready(context, {"pacs": dimse(free_port(), retry_hours=2)})
    assert patient.deliver() == ["WAITING"] * 2
    context.clock.sleep(50 * 3600)
    patient.wait()
    assert patient.deliver() == ["WAITING"] * 2


def test_a_destination_that_is_not_configured_any_more_fails(patient: Ready) -> None:
    patient.context.config.peers.clear()
    assert patient.deliver() == ["FAILED"] * 2
    assert {row.error_code for row in patient.rows()} == {"CONFIG"}


def test_what_came_into_conflict_meanwhile_stays_here(patient: Ready, archive: net.Node) -> None:
    def conflict(_: ReceivedInstance) -> StoreAnswer:
        with patient.context.write() as transaction:
            transaction.execute(sa.update(Study).values(state=StudyState.CONFLICT))
        return StoreAnswer(0)

    archive.recorder.answer = conflict
    assert patient.deliver() == ["STORED", "PENDING"]
    assert list(archive.recorder.datasets) == [FIRST]
    assert patient.arrows(patient.rows()[1])[-2:] == ["SENDING", "PENDING"]
    assert patient.deliver() == ["STORED", "PENDING"]
    assert len(archive.recorder.opened_for) == 1


def test_a_stop_leaves_no_trace_of_what_it_broke_off(patient: Ready, archive: net.Node) -> None:
    def stop(_: ReceivedInstance) -> StoreAnswer:
        patient.context.stopping.set()
        return StoreAnswer(0xA700)

    archive.recorder.answer = stop
    assert patient.deliver() == ["SENDING"] * 2
    assert {row.error_code for row in patient.rows()} == {""}


def test_a_job_without_deliveries_calls_nobody(patient: Ready, archive: net.Node) -> None:
    deliver(patient.context, f"{patient.job}:other")
    deliver(patient.context, "no-such-job:pacs")
    assert archive.recorder.opened_for == []
