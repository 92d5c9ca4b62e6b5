"""A peer asks whether the node keeps what it was sent: the report, and how it gets there."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from pacs_ai.config import DimsePeer
from pacs_ai.flow.commitment_scp import (
    CLASS_CONFLICT,
    NO_SUCH_INSTANCE,
    PROCESSING_FAILURE,
    REPORT_PAUSE_SECONDS,
    REPORT_TRIES,
    CommitmentScp,
)
from pacs_ai.flow.context import FlowContext
from pacs_ai.net.commitment_dataset import CommitmentReport
from pacs_ai.net.scp.handlers import AssociationInfo, CommitmentRequest, StoreAnswer
from tests import net_peer as net
from tests.unit.flow.faults import flipped

ASSOCIATION = AssociationInfo("a", "MODALITY", "SECOND", "127.0.0.1", 0.0)
REFERENCE = (net.CT, "1.2.3.1")
REPORT = CommitmentReport("2.25.1", (REFERENCE,), ())


@pytest.fixture
def held(context: FlowContext, send: Callable[..., StoreAnswer], ct: Dataset) -> FlowContext:
    """A node that has received one CT slice."""
    ct.SOPInstanceUID = ct.file_meta.MediaStorageSOPInstanceUID = REFERENCE[1]
    assert send(ct).status == 0x0000
    return context


def answer(node: FlowContext, *references: tuple[str, str]) -> CommitmentReport:
    request = CommitmentRequest(ASSOCIATION, "2.25.1", references)
    return CommitmentScp(node).commitment_request(request)


def test_what_lies_here_as_it_came_is_committed(held: FlowContext) -> None:
    assert answer(held, REFERENCE) == REPORT


def test_what_never_came_is_not(held: FlowContext) -> None:
    absent = (net.CT, "1.2.3.2")
    report = answer(held, REFERENCE, absent)
    assert report.committed == (REFERENCE,)
    assert report.failed == ((*absent, NO_SUCH_INSTANCE),)


def test_an_instance_of_another_class_is_not(held: FlowContext) -> None:
    report = answer(held, (net.MR, REFERENCE[1]))
    assert report.failed == ((net.MR, REFERENCE[1], CLASS_CONFLICT),)


@pytest.mark.parametrize("fault", [flipped, Path.unlink])
def test_a_file_that_is_not_what_came_is_not(
    held: FlowContext, fault: Callable[[Path], None]
) -> None:
    (file,) = Path(held.spool.home).glob("instances/*/*.dcm")
    fault(file)
    assert answer(held, REFERENCE).failed == ((*REFERENCE, PROCESSING_FAILURE),)


def test_a_database_out_of_reach_commits_nothing(held: FlowContext) -> None:
    held.database.close()
    Path(held.database.url.removeprefix("sqlite:///")).unlink()
    assert answer(held, REFERENCE).failed == ((*REFERENCE, PROCESSING_FAILURE),)


class Waits:
    """A clock whose pauses are counted, and do something."""

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.pauses: list[float] = []
        self.then = then

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.then()


@pytest.fixture
def modality(tmp_path: Path) -> Iterator[net.Node]:
    """The peer, which listens for reports under its own name."""
    folder = tmp_path / "modality"
    folder.mkdir()
    settings = replace(net.SETTINGS, ae_titles=(ASSOCIATION.calling_aet,), accept_from=("SECOND",))
    with net.running(folder, settings) as node:
        yield node


def reporting(node: FlowContext, port: int, waits: Waits, name: str = "MODALITY") -> CommitmentScp:
    peer = DimsePeer(ae_title=name, host="127.0.0.1", port=port, timeout_seconds=net.PATIENCE)
    config = node.config.model_copy(update={"peers": {"modality": peer}})
    return CommitmentScp(replace(node, config=config, clock=waits))  # type: ignore[arg-type]


def undelivered(scp: CommitmentScp) -> None:
    scp.commitment_undelivered(CommitmentRequest(ASSOCIATION, "2.25.1", (REFERENCE,)), REPORT)


def finish() -> None:
    """Wait for the thread that reports."""
    for thread in threading.enumerate():
        if "_deliver" in thread.name:
            thread.join(net.PATIENCE)


def test_a_report_that_the_peer_did_not_wait_for_is_delivered_to_it(
    context: FlowContext, modality: net.Node
) -> None:
    waits = Waits()
    undelivered(reporting(context, modality.port, waits))
    finish()
    assert modality.recorder.reports == [REPORT]
    (association,) = modality.recorder.opened_for
    assert (association.calling_aet, association.called_aet) == ("SECOND", "MODALITY")
    assert waits.pauses == []


def test_a_peer_that_refuses_the_report_gets_it_again(
    context: FlowContext, modality: net.Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    statuses = iter([0x0110, 0x0110, 0x0000])
    monkeypatch.setattr(modality.recorder, "commitment_report", lambda _: next(statuses))
    waits = Waits()
    undelivered(reporting(context, modality.port, waits))
    finish()
    assert waits.pauses == [REPORT_PAUSE_SECONDS] * 2
    assert list(statuses) == []


def test_a_peer_that_stays_away_is_given_up(
    context: FlowContext, free_port: Callable[[], int]
) -> None:
    waits = Waits()
    undelivered(reporting(context, free_port(), waits))
    finish()
    assert waits.pauses == [REPORT_PAUSE_SECONDS] * REPORT_TRIES


def test_a_peer_whose_address_is_not_known_is_not_called(
    context: FlowContext, modality: net.Node
) -> None:
    undelivered(reporting(context, modality.port, Waits(), name="OTHER"))
    finish()
    assert modality.recorder.opened_for == []
