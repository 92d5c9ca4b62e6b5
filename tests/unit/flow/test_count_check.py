"""Before a study is closed, its source is asked how many images it has (C-FIND)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.config import DimsePeer
from pacs_ai.config.completeness import Study as Timing
from pacs_ai.domain import JobId, JobState, StudyState
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.completion import Completion
from pacs_ai.flow.context import FlowContext
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store import completeness
from pacs_ai.store.schema import Event, Job, Result, Study
from tests import odd_peer as odd
from tests.find_source import answering, series_of
from tests.node import wait_for
from tests.odd_peer import OddPeer

START = datetime(2026, 1, 1, tzinfo=UTC)
TIMING = Timing(quiet_seconds=60, max_wait_seconds=600, count_check=True, modality={})


class Waiting:
    """A node that has received a study of one image, whose association is closed."""

    def __init__(self, context: FlowContext, clock: ManualClock, port: int, aet: str) -> None:
        peer = DimsePeer(ae_title=aet, host="127.0.0.1", port=port, timeout_seconds=0.5)
        changes = {"study": TIMING, "peers": {"source": peer}}
        self.node = replace(context, config=context.config.model_copy(update=changes))
        self.clock = clock
        self.arrivals = Arrivals()
        self.completion = Completion(self.node, self.arrivals)

    def states(self) -> list[str]:
        with self.node.database.read() as session:
            return list(session.scalars(sa.select(Study.state).order_by(Study.id)))

    def state(self) -> str:
        (state,) = self.states()
        return state

    def said(self, entity: str = "study") -> list[str]:
        query = sa.select(Event.note).where(Event.entity == entity, Event.note != "")
        with self.node.database.read() as session:
            return list(session.scalars(query.order_by(Event.id)))

    def sweep(self, until: Callable[[], bool]) -> None:
        """Sweep as the daemon does, until what the source has answered has had its effect."""

        def swept() -> bool:
            self.completion.sweep()
            return until()

        wait_for(swept, lambda: f"{self.states()} {self.said()} {self.said('arrival')}")

    def asks(self) -> bool:
        """Whether a question is under way."""
        return any(check.busy for check in self.completion._checks._checks.values())


@pytest.fixture
def waiting(
    context: FlowContext, clock: ManualClock, send: Callable[..., StoreAnswer], ct: Dataset
) -> Callable[..., Waiting]:
    def begin(port: int, aet: str = "MODALITY") -> Waiting:
        one = Waiting(context, clock, port, aet)
        assert send(ct, arrivals=one.arrivals).status == 0x0000
        one.arrivals.closed("a", released=True, now=clock.monotonic())
        clock.advance(60)
        return one

    return begin


@contextmanager
def source(counts: dict[str, int | None], modality: str = "CT") -> Iterator[int]:
    with answering(series_of(counts, modality)) as peer:
        yield peer.port


def test_a_study_that_is_all_there_is_closed_and_says_so(
    waiting: Callable[..., Waiting], ct: Dataset
) -> None:
    with source({str(ct.SeriesInstanceUID): 1}) as port:
        one = waiting(port)
        one.sweep(lambda: one.state() == StudyState.COMPLETE)
    assert one.said() == ["quiet; source has 1 images, all are here"]
    assert one.said("arrival") == []
    with one.node.database.read() as session:
        row = completeness.of_study(session, 1)[1]
    assert (row.signal, row.asked, row.expected, row.present) == ("quiet", "source", 1, 1)


def test_missing_images_are_waited_for_until_they_are_there(
    waiting: Callable[..., Waiting],
    ct: Dataset,
    send: Callable[..., StoreAnswer],
) -> None:
    with source({str(ct.SeriesInstanceUID): 2}) as port:
        one = waiting(port)
        one.sweep(lambda: bool(one.said("arrival")))
        assert one.said("arrival") == ["source has 2 images, 1 of them are here"]
        assert one.state() == StudyState.RECEIVING
        ct.SOPInstanceUID = ct.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
        assert send(ct, arrivals=one.arrivals).status == 0x0000
        one.arrivals.closed("a", released=True, now=one.clock.monotonic())
        one.clock.advance(60)
        one.sweep(lambda: one.state() == StudyState.COMPLETE)
    assert one.said() == ["quiet; source has 2 images, all are here"]


def test_it_is_asked_again_with_pauses_and_goes_on_at_the_longest_wait(
    waiting: Callable[..., Waiting], ct: Dataset
) -> None:
    counts: dict[str, int | None] = {str(ct.SeriesInstanceUID): 300}
    with source(counts) as port:
        one = waiting(port)
        one.sweep(lambda: not one.asks() and bool(one.said("arrival")))
        assert one.completion.sweep() == pytest.approx(2)
        counts[str(ct.SeriesInstanceUID)] = 301
        one.clock.advance(2)
        one.sweep(lambda: len(one.said("arrival")) == 2)
        assert one.completion.sweep() == pytest.approx(4)
        one.clock.advance(538)
        one.sweep(lambda: one.state() == StudyState.COMPLETE)
    assert one.said() == ["longest wait over; source has 301 images, 1 of them are here"]
    assert one.said("arrival") == [
        "source has 300 images, 1 of them are here",
        "source has 301 images, 1 of them are here",
    ]
    with one.node.database.read() as session:
        assert completeness.not_received(session, 1, 1) == 300


def test_images_of_a_series_whose_number_is_not_told_are_counted(
    waiting: Callable[..., Waiting], ct: Dataset
) -> None:
    with source({str(ct.SeriesInstanceUID): None}) as port:
        one = waiting(port)
        one.sweep(lambda: bool(one.said("arrival")))
    assert one.said("arrival") == ["source has 3 images, 1 of them are here"]


@pytest.mark.parametrize(
    ("counts", "modality"),
    [({}, "CT"), ({"1.2.9": 1}, "SR")],
    ids=["fewer than here", "a report"],
)
def test_a_source_that_has_less_or_only_reports_more_holds_nothing_up(
    waiting: Callable[..., Waiting], ct: Dataset, counts: dict[str, int | None], modality: str
) -> None:
    said = {str(ct.SeriesInstanceUID): 0, **counts}
    with source(said, modality) as port:
        one = waiting(port)
        one.sweep(lambda: one.state() == StudyState.COMPLETE)


def test_a_source_that_does_not_know_the_study_is_asked_three_times(
    waiting: Callable[..., Waiting],
) -> None:
    with source({}) as port:
        one = waiting(port)
        for pause in (2, 4):
            one.sweep(lambda: not one.asks())
            one.clock.advance(pause)
        one.sweep(lambda: one.state() == StudyState.COMPLETE)
    (said,) = one.said()
    assert said.startswith("quiet; source could not be asked: STUDY_UNKNOWN")


def test_a_source_that_is_down_is_asked_three_times_and_then_rests(
    waiting: Callable[..., Waiting],
    ct: Dataset,
    send: Callable[..., StoreAnswer],
    free_port: Callable[[], int],
) -> None:
    one = waiting(free_port())
    ct.StudyInstanceUID, ct.SOPInstanceUID = "1.2.7", "1.2.8"
    ct.file_meta.MediaStorageSOPInstanceUID = "1.2.8"
    assert send(ct, arrivals=one.arrivals).status == 0x0000
    one.arrivals.closed("a", released=True, now=one.clock.monotonic())
    for pause in (2, 4):
        one.sweep(lambda: not one.asks())
        assert one.states() == [StudyState.RECEIVING] * 2
        one.clock.advance(pause)
    one.sweep(lambda: one.states() == [StudyState.COMPLETE, StudyState.RECEIVING])
    assert "source could not be asked: PEER_UNREACHABLE" in one.said()[0]
    one.clock.advance(54)
    one.completion.sweep()
    assert one.states() == [StudyState.COMPLETE] * 2
    assert one.said()[1] == "quiet; source could not be asked: it has not answered for others"


def test_a_source_that_hangs_or_talks_nonsense_ends_in_time(
    waiting: Callable[..., Waiting],
) -> None:
    with odd.listening(OddPeer(respond=lambda *_: b"\0" * 100)) as peer:
        one = waiting(peer.port)
        for pause in (2, 4):
            one.sweep(lambda: not one.asks())
            one.clock.advance(pause)
        one.sweep(lambda: one.state() == StudyState.COMPLETE)


def test_the_longest_wait_ends_a_question_without_an_answer(
    waiting: Callable[..., Waiting],
) -> None:
    with odd.listening(OddPeer(respond=lambda *_: b"", hold_seconds=5)) as peer:
        one = waiting(peer.port)
        one.completion.sweep()
        one.clock.advance(540)
        one.completion.sweep()
        assert one.state() == StudyState.COMPLETE
    assert one.said() == ["longest wait over"]


def test_a_sender_without_a_section_is_not_asked(waiting: Callable[..., Waiting]) -> None:
    one = waiting(1, aet="OTHER")
    one.completion.sweep()
    assert one.state() == StudyState.COMPLETE
    assert one.said() == ["quiet; no [peers] section has the AE title of its sender: not counted"]


def test_series_that_the_node_has_made_itself_are_not_waited_for(
    waiting: Callable[..., Waiting], ct: Dataset
) -> None:
    with source({str(ct.SeriesInstanceUID): 1, "1.2.9": 7}) as port:
        one = waiting(port)
        with one.node.write() as transaction:
            transaction.add(job(JobId("a"), JobState.SUCCEEDED))
            transaction.flush()
            transaction.add(result(JobId("a"), "1.2.9"))
        one.sweep(lambda: one.state() == StudyState.COMPLETE)


def job(key: JobId, state: JobState) -> Job:
    return Job(
        id=key,
        study_id=1,
        revision=0,
        rules=[],
        model_name="demo",
        model_version="1",
        bundle_sha256="",
        state=state,
        created_at=START,
    )


def result(key: JobId, series: str) -> Result:
    return Result(
        job_id=key,
        kind="report",
        number=1,
        sop_class_uid="1.2",
        sop_instance_uid="1.2.9.1",
        series_instance_uid=series,
        path="",
        digest="",
    )
