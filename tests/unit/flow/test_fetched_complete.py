"""A study that is fetched is complete when its archive has sent all of it, and not before."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.config import DicomwebPeer, Rule
from pacs_ai.config.completeness import Required
from pacs_ai.config.completeness import Study as Timing
from pacs_ai.domain import StudyState
from pacs_ai.flow.context import FlowContext
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store import completeness, pulls
from pacs_ai.store.pulls import ClaimedPull, Failure
from tests.unit.flow.test_completion import Receiving, required

PARTLY = Failure("PARTLY_RETRIEVED", "1 of 2 instances did not come", 1)


class Fetching(Receiving):
    """A node that gets images because it has asked an archive for them."""

    def settings(self, timing: Timing, *rules: Rule) -> None:
        archive = DicomwebPeer(kind="dicomweb", url="http://127.0.0.1:9/web")
        config = self.context.config.model_copy(update={"peers": {"archive": archive}})
        self.context = replace(self.context, config=config)
        super().settings(timing, *rules)

    def ask(self) -> ClaimedPull:
        with self.context.write() as transaction:
            pulls.enter(transaction, "archive", [str(self.ct.StudyInstanceUID)], again=True)
        return self.claim()

    def claim(self) -> ClaimedPull:
        with self.context.write() as transaction:
            claimed = pulls.claim(transaction, "archive")
        assert claimed is not None
        return claimed

    def done(self, claimed: ClaimedPull) -> None:
        with self.context.write() as transaction:
            assert pulls.done(transaction, claimed, 1)

    def postponed(self, claimed: ClaimedPull) -> None:
        with self.context.write() as transaction:
            assert pulls.postpone(transaction, claimed, PARTLY, transaction.now)


@pytest.fixture
def fetching(
    context: FlowContext, clock: ManualClock, send: Callable[..., StoreAnswer], ct: Dataset
) -> Fetching:
    return Fetching(context, clock, send, ct)


def test_it_is_closed_at_once_when_all_has_come_however_long_that_takes(fetching: Fetching) -> None:
    claimed = fetching.ask()
    fetching.image()
    assert fetching.after(200) == StudyState.RECEIVING, "the archive is slow"
    fetching.image()
    fetching.done(claimed)
    assert fetching.after(0) == StudyState.COMPLETE
    assert fetching.reason == "the archive has sent all of it"
    with fetching.context.database.read() as session:
        assert completeness.of_study(session, 1)[1].signal == "fetched"


def test_what_has_come_in_part_waits_for_the_rest_and_for_no_longer_than_the_longest_wait(
    fetching: Fetching,
) -> None:
    fetching.postponed(fetching.ask())
    fetching.image()
    fetching.restart()
    assert fetching.after(590) == StudyState.RECEIVING
    fetching.restart()
    assert fetching.after(20) == StudyState.COMPLETE
    assert fetching.reason == (
        "longest wait over; an archive was asked for it, and has not sent all of it"
    )


def test_the_rest_completes_it(fetching: Fetching) -> None:
    fetching.postponed(fetching.ask())
    fetching.image()
    assert fetching.after(200) == StudyState.RECEIVING
    claimed = fetching.claim()
    fetching.image()
    fetching.done(claimed)
    assert fetching.after(0) == StudyState.COMPLETE


@pytest.mark.parametrize("end", ["cancelled", "given up"])
def test_without_hope_for_the_rest_quiet_time_counts(fetching: Fetching, end: str) -> None:
    claimed = fetching.ask()
    fetching.image()
    with fetching.context.write() as transaction:
        if end == "cancelled":
            pulls.cancel(transaction, "archive")
        else:
            pulls.fail(transaction, claimed, PARTLY)
    assert fetching.after(59) == StudyState.RECEIVING
    assert fetching.after(2) == StudyState.COMPLETE
    assert fetching.reason == "quiet"


def test_what_comes_later_from_elsewhere_is_waited_for_as_usual(fetching: Fetching) -> None:
    fetching.done(fetching.ask())
    fetching.clock.advance(1)
    fetching.image()
    assert fetching.after(59) == StudyState.RECEIVING
    assert fetching.after(2) == StudyState.COMPLETE
    assert fetching.reason == "quiet"


def test_what_the_site_requires_is_waited_for_all_the_same(fetching: Fetching) -> None:
    fetching.settings(required(Required(images=2)))
    claimed = fetching.ask()
    fetching.image()
    fetching.done(claimed)
    assert fetching.after(200) == StudyState.RECEIVING
