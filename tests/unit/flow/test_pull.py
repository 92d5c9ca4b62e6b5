"""Studies are fetched from an archive that is down, refuses, breaks off, or does not have them."""

import threading
import time

import pytest

from pacs_ai.errors import ConfigError, PeerUnreachable
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.pulls import (
    cancel_pulls,
    pull_studies,
    search_studies,
)
from pacs_ai.flow.operate.studies import show_study
from pacs_ai.flow.operate.trace import trace_study
from pacs_ai.flow.recover import take_over
from pacs_ai.flow.retrieve import pull
from pacs_ai.flow.retrieve.pull import TRIES
from pacs_ai.store import pulls
from tests import net_peer
from tests.node import wait_for
from tests.odd_peer import OddPeer, listening
from tests.ports import free_port
from tests.unit.flow.pulling import GOOD, KIND, STUDY, WHOLE, Archive, one_after_the_other
from tests.web_peer import Answer, Asked, web_peer


def test_a_study_is_fetched_once(context: FlowContext) -> None:
    with web_peer(lambda _: GOOD) as peer:
        archive = Archive(context, peer.url)
        archive.ask(STUDY)
        (one,) = archive.sweep()
        assert (one.state, one.instances, one.attempt) == ("DONE", 1, 1)
        archive.ask(STUDY)
        archive.sweep(1000)
        assert len(peer.asked) == 1
        archive.ask(STUDY, again=True)
        assert archive.sweep()[0].state == "DONE"
        assert archive.stored() == 1


def test_a_study_that_the_archive_does_not_have_is_told_at_once(context: FlowContext) -> None:
    with web_peer(one_after_the_other(Answer(404), Answer(204), GOOD)) as peer:
        archive = Archive(context, peer.url)
        archive.ask("1.2", "1.3", STUDY)
        rows = archive.sweep()
    assert [one.state for one in rows] == ["FAILED", "FAILED", "DONE"]
    assert [one.error_code for one in rows] == ["STUDY_UNKNOWN", "STUDY_UNKNOWN", ""]


@pytest.mark.parametrize(
    "part",
    [
        Answer(200, WHOLE[: len(WHOLE) // 2], KIND),
        Answer(206, WHOLE, KIND),
        Answer(200, b"no parts", {"Content-Type": "text/plain"}),
        Answer(200, WHOLE.replace(STUDY.encode(), b"9" * len(STUDY)), KIND),
        Answer(400),
    ],
    ids=["cut off", "partial", "no parts", "another study", "refused"],
)
def test_what_does_not_come_whole_is_fetched_again(context: FlowContext, part: Answer) -> None:
    with web_peer(one_after_the_other(part, GOOD)) as peer:
        archive = Archive(context, peer.url)
        archive.ask(STUDY)
        (one,) = archive.sweep()
        assert (one.state, one.attempt) == ("QUEUED", 1)
        assert one.error_text.startswith("archive")
        assert one.instances == archive.stored()
        assert list((archive.node.spool.home / "tmp").iterdir()) == []
        (one,) = archive.sweep(10)
        assert (one.state, one.attempt, one.error_text) == ("DONE", 2, "")


def test_what_never_comes_whole_is_given_up(context: FlowContext) -> None:
    with web_peer(lambda _: Answer(206, WHOLE, KIND)) as peer:
        archive = Archive(context, peer.url)
        archive.ask(STUDY)
        for _ in range(TRIES + 3):
            rows = archive.sweep(1000)
        assert [(one.state, one.error_code) for one in rows] == [("FAILED", "PARTLY_RETRIEVED")]
        assert len(peer.asked) == TRIES


@pytest.mark.parametrize("down", [Answer(503), Answer(401), None], ids=["busy", "login", "gone"])
def test_an_archive_that_is_down_gets_one_request_now_and_then(
    context: FlowContext, down: Answer | None
) -> None:
    answers: list[Answer | None] = [down]
    with web_peer(lambda _: answers[0]) as peer:
        archive = Archive(context, peer.url)
        archive.ask(*(f"1.2.{number}" for number in range(20)), STUDY)
        for _ in range(20):
            rows = archive.sweep(1)
        assert 2 <= len(peer.asked) <= 6  # 1, 2, 4, 8 seconds apart, and not 20 at once
        assert {one.state for one in rows} == {"QUEUED"}
        answers[0] = Answer(404)
        for _ in range(60):
            rows = archive.sweep(10)
        assert {one.state for one in rows} == {"FAILED"}


def test_nobody_there_is_given_up_after_the_hours_of_the_peer(context: FlowContext) -> None:
    archive = Archive(context, f"http://127.0.0.1:{free_port()}", retry_hours=0.1)
    archive.ask(STUDY)
    for _ in range(20):
        (one,) = archive.sweep(60)
    assert (one.state, one.error_code) == ("FAILED", "PEER_UNREACHABLE")


def test_no_more_in_a_minute_than_allowed(context: FlowContext) -> None:
    with web_peer(lambda _: Answer(404)) as peer:
        archive = Archive(context, peer.url, pull_per_minute=6)
        archive.ask(*(f"1.2.{number}" for number in range(5)))
        archive.sweep()
        archive.sweep(5)
        assert len(peer.asked) == 1
        archive.sweep(5.1)
        assert len(peer.asked) == 2


def test_the_timeline_says_what_did_not_come_and_when_it_did(context: FlowContext) -> None:
    with web_peer(one_after_the_other(Answer(206, WHOLE, KIND), GOOD)) as peer:
        archive = Archive(context, peer.url)
        archive.ask(STUDY)
        archive.sweep()
        assert archive.sweep(10)[0].state == "DONE"
    steps = [one for one in trace_study(archive.node, STUDY).steps if one.peer == "archive"]
    assert [one.step for one in steps] == ["fetched", "fetch_waiting", "fetched"]
    assert steps[0].reason.startswith("PARTLY_RETRIEVED: archive says that it has left out")
    assert steps[0].reason.endswith("here of the study: 1 instance")
    assert (steps[1].seconds, steps[1].reason) == (10, steps[0].reason)
    assert steps[2].reason == "archive has sent 1 instance"
    shown = show_study(archive.node, STUDY).events
    assert [one.to_state for one in shown if one.entity == "pull"] == [
        *("RUNNING", "QUEUED"),
        *("RUNNING", "DONE"),
    ]


@pytest.mark.parametrize("looks", [True, False], ids=["it is cut off", "it comes all the same"])
def test_a_study_is_cancelled_while_it_comes(
    context: FlowContext, looks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull, "_LOOK_SECONDS", 0.0 if looks else 600.0)

    def respond(_: Asked) -> Answer:
        assert cancel_pulls(archive.node) == 2
        return GOOD

    with web_peer(respond) as peer:
        archive = Archive(context, peer.url)
        archive.ask(STUDY, "1.2.3")
        rows = archive.sweep()
        archive.sweep(1000)
    assert [(one.state, one.attempt, one.error_text) for one in rows] == [
        ("CANCELLED", 1, ""),
        ("CANCELLED", 0, ""),
    ]
    assert archive.stored() == (0 if looks else 1)
    assert len(peer.asked) == 1


def silent(_: OddPeer, _context: int, _request: dict[int, bytes]) -> bytes:
    time.sleep(1.5)
    return b""


@pytest.mark.parametrize("kind", ["dimse", "dicomweb"])
def test_an_archive_that_hangs_is_asked_again_later(context: FlowContext, kind: str) -> None:
    with (
        web_peer(lambda _: time.sleep(1.5)) as web,
        listening(OddPeer(respond=silent)) as odd,
    ):
        where = {"url": web.url} if kind == "dicomweb" else {"host": odd.host, "port": odd.port}
        title = {"ae_title": odd.ae_title} if kind == "dimse" else {}
        archive = Archive(context, kind=kind, timeout_seconds=1, **where, **title)
        archive.ask(STUDY, "1.2.3")
        rows = archive.sweep()
    assert [(one.state, one.attempt) for one in rows] == [("QUEUED", 1), ("QUEUED", 0)]
    assert rows[0].error_code == "PEER_UNREACHABLE"
    assert "in time" in rows[0].error_text
    assert rows[0].due_at > archive.node.now()


def test_while_one_archive_hangs_others_go_on(context: FlowContext) -> None:
    goes_on = threading.Event()

    def hang(_: Asked) -> Answer:
        assert goes_on.wait(net_peer.PATIENCE)
        return Answer(404)

    with web_peer(hang) as hanging, web_peer(lambda _: GOOD) as good:
        others = {"good": {"kind": "dicomweb", "url": good.url}}
        archive = Archive(context, hanging.url, others=others, timeout_seconds=net_peer.PATIENCE)
        archive.ask(STUDY)
        pull_studies(archive.node, "good", [STUDY])
        archive.puller.sweep()
        wait_for(lambda: archive.states() == {"archive": "RUNNING", "good": "DONE"})
        goes_on.set()
        archive.sweep()
    assert archive.states() == {"archive": "FAILED", "good": "DONE"}


def test_what_a_node_that_is_gone_was_fetching_is_taken_over(context: FlowContext) -> None:
    with web_peer(lambda _: GOOD) as peer:
        archive = Archive(context, peer.url)
        archive.ask(STUDY)
        with context.database.write("gone/boot/1", context.now()) as transaction:
            assert pulls.claim(transaction, "archive") is not None
        assert archive.sweep()[0].state == "RUNNING"
        take_over(archive.node, lambda _: True)
        assert archive.sweep()[0].state == "DONE"


def test_an_outcome_that_the_database_did_not_take_is_fetched_again(context: FlowContext) -> None:
    with web_peer(lambda _: GOOD) as peer:
        archive = Archive(context, peer.url)
        archive.ask(STUDY)
        with archive.node.write() as transaction:
            assert pulls.claim(transaction, "archive") is not None
        assert archive.sweep()[0].state == "DONE"


def test_errors_name_the_archive_and_say_what_to_do(context: FlowContext) -> None:
    archive = Archive(context, f"http://127.0.0.1:{free_port()}")
    with pytest.raises(
        PeerUnreachable, match=r"^archive: .*; check the address in .peers.archive."
    ):
        search_studies(archive.node, "archive", {"StudyDate": "20240101"})
    archive = Archive(context, kind="dimse", ae_title="A", host="127.0.0.1", port=free_port())
    with pytest.raises(
        PeerUnreachable, match=r"^archive: A at .*; check the address in .peers.arc"
    ):
        search_studies(archive.node, "archive", {"StudyDate": "20240101"})
    with pytest.raises(ConfigError, match="there is no such section; the archives of this"):
        pull_studies(archive.node, "else", ["1.2"])
