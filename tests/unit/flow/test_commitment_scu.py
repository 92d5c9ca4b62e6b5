"""The archive is asked whether it keeps what it got: every answer, none, and an archive gone."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pacs_ai.config import DimsePeer, FolderPeer
from pacs_ai.domain import TaskKind
from pacs_ai.errors import ConfigError
from pacs_ai.flow import commitment_scu
from pacs_ai.flow.commitment_scu import ANSWER_WITHIN, Answer, ask_again, commit, remind, report
from pacs_ai.flow.context import FlowContext
from pacs_ai.net.commitment_dataset import CommitmentReport
from pacs_ai.net.scp.handlers import CommitmentRequest
from pacs_ai.store import commitments
from tests import net_peer as net
from tests.unit.flow.ready import SC, Ready, dimse, ready

REFERENCES = ((SC, "2.25.1"), (SC, "2.25.2"))
NOT_KEPT = 0x0112

Reply = Callable[[CommitmentRequest], CommitmentReport]


def all_kept(request: CommitmentRequest) -> CommitmentReport:
    return CommitmentReport(request.transaction_uid, request.references, ())


def second_lost(request: CommitmentRequest) -> CommitmentReport:
    first, second = request.references
    return CommitmentReport(request.transaction_uid, (first,), ((*second, NOT_KEPT),))


class Commits:
    """The archive's side of storage commitment: reports on the association that asks."""

    def __init__(self) -> None:
        self.reply: Reply = all_kept
        self.requests: list[CommitmentRequest] = []

    def commitment_request(self, request: CommitmentRequest) -> CommitmentReport:
        self.requests.append(request)
        return self.reply(request)

    def commitment_undelivered(self, request: CommitmentRequest, report: CommitmentReport) -> None:
        raise AssertionError(f"{report} on {request} was not taken")


@pytest.fixture
def archive() -> Commits:
    return Commits()


@pytest.fixture
def node(tmp_path: Path, archive: Commits) -> Iterator[net.Node]:
    folder = tmp_path / "archive"
    folder.mkdir()
    with net.running(folder, provider=archive) as node:
        yield node


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for the report on the same association, also on a machine that is busy."""
    monkeypatch.setattr(commitment_scu, "REPORT_WAIT_SECONDS", net.PATIENCE)


def peer(port: int, **changes: object) -> DimsePeer:
    return dimse(port, **{"commitment": True, **changes})


@pytest.fixture
def patient(context: FlowContext, node: net.Node) -> Ready:
    """Two results are stored at the archive, and it was not asked yet."""
    return stored(context, peer(node.port))


def stored(context: FlowContext, at: DimsePeer) -> Ready:
    one = ready(context, {"pacs": at})
    assert one.deliver() == ["STORED"] * 2
    return one


def asked(patient: Ready) -> list[str]:
    commit(patient.context, f"{patient.job}:pacs")
    return patient.states()


def transaction(patient: Ready) -> str:
    (uid,) = {row.transaction_uid for row in patient.rows()}
    assert uid is not None
    return uid


@pytest.fixture
def silent(context: FlowContext, node: net.Node, monkeypatch: pytest.MonkeyPatch) -> Ready:
    """The archive was asked, and its report has not come."""
    one = stored(context, peer(node.port))
    with monkeypatch.context() as patch:
        patch.setattr(commitment_scu.client, "request_commitment", lambda *_, **__: None)
        assert asked(one) == ["COMMITTING"] * 2
    return one


def test_what_the_archive_keeps_is_committed(patient: Ready, archive: Commits) -> None:
    assert asked(patient) == ["COMMITTED"] * 2
    (request,) = archive.requests
    assert request.references == REFERENCES
    assert request.transaction_uid == transaction(patient)
    for row in patient.rows():
        assert row.committed_at == patient.context.now()
        assert patient.arrows(row)[-3:] == ["STORED", "COMMITTING", "COMMITTED"]


def test_nobody_is_asked_twice(patient: Ready, archive: Commits) -> None:
    asked(patient)
    asked(patient)
    assert len(archive.requests) == 1


def test_what_the_archive_lost_is_sent_again(
    patient: Ready, archive: Commits, node: net.Node
) -> None:
    archive.reply = second_lost
    assert asked(patient) == ["COMMITTED", "PENDING"]
    row = patient.rows()[1]
    assert (row.error_code, row.commit_rounds) == ("NOT_COMMITTED", 1)
    assert "0x0112" in row.error_text
    assert patient.tasks(TaskKind.DELIVER) == [f"{patient.job}:pacs"]
    assert patient.deliver() == ["COMMITTED", "STORED"]
    assert [one.sop_instance_uid for one in node.recorder.received].count("2.25.2") == 2
    archive.reply = all_kept
    assert asked(patient) == ["COMMITTED"] * 2
    assert archive.requests[1].references == REFERENCES[1:]


def test_what_the_archive_loses_again_and_again_fails(patient: Ready, archive: Commits) -> None:
    archive.reply = lambda request: CommitmentReport(
        request.transaction_uid, (), tuple((*one, NOT_KEPT) for one in request.references)
    )
    for _ in range(commitments.MAX_ROUNDS):
        assert asked(patient) == ["PENDING"] * 2
        assert patient.deliver() == ["STORED"] * 2
    assert asked(patient) == ["FAILED"] * 2
    assert {row.error_code for row in patient.rows()} == {"NOT_COMMITTED"}


def test_a_report_may_come_later(silent: Ready) -> None:
    uid = transaction(silent)
    assert report(silent.context, CommitmentReport(uid, REFERENCES[:1], ())) == 0
    assert silent.states() == ["COMMITTED", "COMMITTING"]
    failed = ((*REFERENCES[1], NOT_KEPT),)
    assert report(silent.context, CommitmentReport(uid, (), failed)) == 0
    assert silent.states() == ["COMMITTED", "PENDING"]
    assert silent.tasks(TaskKind.DELIVER) == [f"{silent.job}:pacs"]


def test_a_report_that_comes_twice_changes_nothing(silent: Ready) -> None:
    received = CommitmentReport(transaction(silent), REFERENCES, ())
    assert report(silent.context, received) == 0
    late = CommitmentReport(received.transaction_uid, (), ((*REFERENCES[0], NOT_KEPT),))
    assert report(silent.context, late) == 0
    assert silent.states() == ["COMMITTED"] * 2


def test_a_report_on_nothing_that_was_asked_is_refused(silent: Ready) -> None:
    assert report(silent.context, CommitmentReport("2.25.999", REFERENCES, ())) == 0x0110
    assert silent.states() == ["COMMITTING"] * 2


def test_no_report_within_the_time_asks_once_more_and_then_lets_it_rest(
    silent: Ready, archive: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = ANSWER_WITHIN + timedelta(seconds=1)
    remind(silent.context)
    assert silent.states() == ["COMMITTING"] * 2
    silent.context.clock.sleep(step.total_seconds())
    silent.lose_tasks()
    remind(silent.context)
    assert silent.states() == ["STORED"] * 2
    assert {row.error_code for row in silent.rows()} == {commitments.UNANSWERED}
    assert silent.tasks(TaskKind.COMMIT) == [f"{silent.job}:pacs"]
    monkeypatch.setattr(commitment_scu.client, "request_commitment", lambda *_, **__: None)
    assert asked(silent) == ["COMMITTING"] * 2
    silent.context.clock.sleep(step.total_seconds())
    remind(silent.context)
    assert silent.states() == ["STORED"] * 2
    assert {row.error_code for row in silent.rows()} == {"NOT_COMMITTED"}
    silent.lose_tasks()
    remind(silent.context)
    assert silent.tasks(TaskKind.COMMIT) == []
    assert all("did not report" in row.error_text for row in silent.rows())
    assert archive.requests == []


def test_what_was_stored_while_nobody_asked_is_asked_about(patient: Ready) -> None:
    """As after a crash between the delivery and its question."""
    patient.lose_tasks()
    remind(patient.context)
    assert patient.tasks(TaskKind.COMMIT) == [f"{patient.job}:pacs"]


def test_an_archive_that_is_gone_is_asked_later(patient: Ready, node: net.Node) -> None:
    node.server.stop(1)
    assert asked(patient) == ["STORED"] * 2
    for row in patient.rows():
        assert (row.asked_at, row.transaction_uid, row.error_code) == (None, None, "")
    patient.lose_tasks()
    remind(patient.context)
    assert patient.tasks(TaskKind.COMMIT) == [f"{patient.job}:pacs"]
    with net.running(node.recorder.folder, provider=Commits()) as again:
        patient.context.config.peers["pacs"] = peer(again.port)
        assert asked(patient) == ["COMMITTED"] * 2


def test_an_archive_that_gives_no_commitment_is_believed(
    context: FlowContext, tmp_path: Path
) -> None:
    (tmp_path / "plain").mkdir()
    with net.running(tmp_path / "plain") as node:
        patient = stored(context, peer(node.port))
        assert asked(patient) == ["STORED"] * 2
    assert {row.error_code for row in patient.rows()} == {"NOT_COMMITTED"}
    patient.lose_tasks()
    remind(patient.context)
    assert patient.tasks(TaskKind.COMMIT) == []


def test_a_stop_leaves_the_question_open(patient: Ready, node: net.Node) -> None:
    node.server.stop(1)
    patient.context.stopping.set()
    assert asked(patient) == ["COMMITTING"] * 2


def test_an_operator_asks_also_where_nobody_asks_by_itself(
    context: FlowContext, node: net.Node
) -> None:
    patient = stored(context, peer(node.port, commitment=False))
    patient.lose_tasks()
    remind(patient.context)
    assert patient.tasks(TaskKind.COMMIT) == []
    assert ask_again(patient.context, patient.job) == [Answer("pacs", 2, 2)]
    assert patient.states() == ["COMMITTED"] * 2
    assert ask_again(patient.context, patient.job) == []


def test_an_operator_is_told_how_much_is_committed(patient: Ready, archive: Commits) -> None:
    archive.reply = lambda request: CommitmentReport(
        request.transaction_uid, request.references[:1], ()
    )
    assert ask_again(patient.context, patient.job) == [Answer("pacs", 2, 1)]
    assert patient.states() == ["COMMITTED", "COMMITTING"]


def test_a_destination_that_is_gone_from_the_configuration(patient: Ready) -> None:
    patient.context.config.peers.clear()
    assert asked(patient) == ["STORED"] * 2
    with pytest.raises(ConfigError, match="'pacs' is not in the configuration"):
        ask_again(patient.context, patient.job)


def test_a_destination_of_another_kind_cannot_be_asked(patient: Ready, tmp_path: Path) -> None:
    patient.context.config.peers["pacs"] = FolderPeer(kind="folder", path=tmp_path)
    assert asked(patient) == ["STORED"] * 2
    assert ask_again(patient.context, patient.job) == []
