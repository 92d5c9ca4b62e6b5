"""Studies are fetched from an archive that is down, refuses, breaks off, or does not have them."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from pacs_ai.clock import ManualClock
from pacs_ai.config import DicomwebPeer
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.pulls import PullRecord, list_pulls, pull_studies
from pacs_ai.flow.retrieve.pull import TRIES, Puller
from pacs_ai.flow.storage_scp import StorageScp
from pacs_ai.flow.traffic import TrafficMeter
from pacs_ai.net.http.multipart import written
from pacs_ai.store.schema import Instance
from tests.ports import free_port
from tests.web_peer import Answer, Respond, web_peer

CT = Path(str(get_testdata_file("CT_small.dcm")))
STUDY = "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322"
KIND = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
WHOLE = b"".join(written([("application/dicom", [CT.read_bytes()])], "b"))
GOOD = Answer(200, WHOLE, KIND)


class Archive:
    """A node with one archive, and what swept it."""

    def __init__(self, context: FlowContext, url: str, **keys: object) -> None:
        section = {"kind": "dicomweb", "url": url, "timeout_seconds": 2, **keys}
        peers = {"archive": DicomwebPeer.model_validate(section)}
        self.node = replace(context, config=context.config.model_copy(update={"peers": peers}))
        meter = TrafficMeter(context.spool, "pull")
        meter.begin()
        self.puller = Puller(self.node, StorageScp(self.node, Arrivals(), meter))

    def ask(self, *uids: str, again: bool = False) -> None:
        pull_studies(self.node, "archive", uids, again=again)

    def sweep(self, seconds: float = 0) -> list[PullRecord]:
        """Let time pass, fetch what is due, and return all rows, the oldest first."""
        clock = self.node.clock
        assert isinstance(clock, ManualClock)
        clock.advance(seconds)
        self.puller.sweep()
        for thread in threading.enumerate():
            if thread.name == "pull archive":
                thread.join()
        return list_pulls(self.node)[::-1]

    def stored(self) -> int:
        with self.node.database.read() as session:
            return session.query(Instance).count()


def one_after_the_other(*answers: Answer) -> Respond:
    left = list(answers)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


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
        assert (one.state, one.attempt, bool(one.error_text)) == ("QUEUED", 1, True)
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
        archive.ask(*(f"1.2.{number}" for number in range(50)), STUDY)
        for _ in range(20):
            rows = archive.sweep(1)
        assert 2 <= len(peer.asked) <= 6  # 1, 2, 4, 8 seconds apart, and not 50 at once
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
