"""What must be there before a study is closed, which settings hold, and what a restart keeps."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.config import Rule
from pacs_ai.config.completeness import Required
from pacs_ai.config.completeness import Study as Timing
from pacs_ai.domain import StudyState
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.completion import Completion
from pacs_ai.flow.context import FlowContext
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store import completeness
from pacs_ai.store.schema import Event, Study

TIMING = Timing(quiet_seconds=60, max_wait_seconds=600, modality={})


class Receiving:
    """A node that receives images of one study, each on an association of its own."""

    def __init__(
        self,
        context: FlowContext,
        clock: ManualClock,
        send: Callable[..., StoreAnswer],
        ct: Dataset,
    ) -> None:
        self.context = context
        self.clock = clock
        self.send = send
        self.ct = ct
        self.images = 0
        self.settings(TIMING)

    def settings(self, timing: Timing, *rules: Rule) -> None:
        changes: dict[str, object] = {"study": timing, **({"rules": rules} if rules else {})}
        config = self.context.config.model_copy(update=changes)
        self.context = replace(self.context, config=config)
        self.restart()

    def restart(self) -> None:
        """Lose all that is kept in memory, as a kill does."""
        self.arrivals = Arrivals()
        self.completion = Completion(self.context, self.arrivals)

    def image(self, **values: object) -> None:
        """Receive one more image on an association that is released."""
        self.images += 1
        for keyword, value in values.items():
            setattr(self.ct, keyword, value)
        uid = f"1.2.3.{self.images}"
        self.ct.SOPInstanceUID = self.ct.file_meta.MediaStorageSOPInstanceUID = uid
        association = str(self.images)
        assert self.send(self.ct, association, arrivals=self.arrivals).status == 0x0000
        self.arrivals.closed(association, released=True, now=self.clock.monotonic())

    def after(self, seconds: float) -> str:
        """Let time pass in steps, as the daemon looks again and again; the state then."""
        for _ in range(int(seconds)):
            self.completion.sweep()
            self.clock.advance(1)
        self.completion.sweep()
        with self.context.database.read() as session:
            return session.scalars(sa.select(Study.state)).one()

    @property
    def reason(self) -> str:
        query = sa.select(Event.note).where(Event.to_state == StudyState.COMPLETE)
        with self.context.database.read() as session:
            return session.scalars(query).one()


@pytest.fixture
def receiving(
    context: FlowContext, clock: ManualClock, send: Callable[..., StoreAnswer], ct: Dataset
) -> Receiving:
    return Receiving(context, clock, send, ct)


def required(*wanted: Required, **keys: object) -> Timing:
    return TIMING.model_copy(update={"complete_when": wanted, **keys})


def test_a_study_is_closed_as_soon_as_all_that_is_required_is_there(receiving: Receiving) -> None:
    receiving.settings(required(Required(images=2)))
    receiving.image()
    assert receiving.after(599) == StudyState.RECEIVING
    receiving.image()
    assert receiving.after(0) == StudyState.COMPLETE
    assert receiving.reason == "all that is required is there"
    with receiving.context.database.read() as session:
        assert completeness.of_study(session, 1)[1].signal == "required"


def test_series_are_required_by_description_modality_and_image_type(receiving: Receiving) -> None:
    receiving.settings(
        required(
            Required(description="*T1*", images=2),
            Required(description=("FLAIR*", "DWI"), modality="CT", image_type="ORIGINAL*"),
            Required(series=2, images=3),
        )
    )
    receiving.image(SeriesInstanceUID="1.2.1", SeriesDescription="ax T1", ImageType="DERIVED")
    receiving.image(SeriesDescription="ax T1")
    receiving.image(SeriesInstanceUID="1.2.2", SeriesDescription="FLAIR ax")
    assert receiving.after(1) == StudyState.RECEIVING
    receiving.image(ImageType=["ORIGINAL", "PRIMARY"])
    assert receiving.after(0) == StudyState.COMPLETE


def test_the_longest_wait_ends_it_and_says_what_is_not_there(receiving: Receiving) -> None:
    receiving.settings(required(Required(description="T1", images=20, series=2)))
    receiving.image(SeriesDescription="T1")
    assert receiving.after(600) == StudyState.COMPLETE
    assert receiving.reason == "longest wait over; not there: T1: 1 of 20 images of 1 of 2 series"


def test_a_site_may_close_without_what_is_required(receiving: Receiving) -> None:
    receiving.settings(required(Required(images=2), when_incomplete="close"))
    receiving.image()
    assert receiving.after(59) == StudyState.RECEIVING
    assert receiving.after(1) == StudyState.COMPLETE
    assert receiving.reason == "quiet; not there: any: 1 of 2 images"


def test_what_is_required_is_known_again_after_a_restart(receiving: Receiving) -> None:
    receiving.settings(required(Required(images=2)))
    receiving.image()
    receiving.restart()
    receiving.image()
    assert receiving.after(0) == StudyState.COMPLETE


@pytest.mark.parametrize(
    ("modality", "seconds"), [("CT", 5), ("MR", 60)], ids=["matches", "matches not"]
)
def test_a_rule_has_settings_for_the_studies_that_match_it(
    receiving: Receiving, modality: str, seconds: int
) -> None:
    rule = Rule(name="one", model="demo", when={"Modality": modality}, quiet_seconds=5)
    receiving.settings(TIMING, rule, Rule(name="all", model="demo"))
    receiving.image()
    assert receiving.after(seconds - 1) == StudyState.RECEIVING
    assert receiving.after(1) == StudyState.COMPLETE


def test_of_several_rules_with_settings_each_must_be_satisfied(receiving: Receiving) -> None:
    rules = [Rule(name=str(one), model="demo", quiet_seconds=one) for one in (5, 30)]
    receiving.settings(TIMING, *rules)
    receiving.image()
    assert receiving.after(29) == StudyState.RECEIVING
    assert receiving.after(1) == StudyState.COMPLETE


def test_a_slow_series_is_not_split_before_the_longest_wait(receiving: Receiving) -> None:
    for _ in range(30):
        receiving.image()
        assert receiving.after(19) == StudyState.RECEIVING
        receiving.clock.advance(1)
    assert receiving.after(0) == StudyState.COMPLETE
    assert receiving.reason == "longest wait over"


def test_a_release_is_remembered_over_a_restart(receiving: Receiving) -> None:
    receiving.settings(TIMING.model_copy(update={"release_seconds": 5}))
    receiving.image()
    assert receiving.after(4) == StudyState.RECEIVING
    receiving.restart()
    assert receiving.after(4) == StudyState.RECEIVING
    assert receiving.after(1) == StudyState.COMPLETE
    assert receiving.reason == "association released"


def test_a_node_that_is_killed_again_and_again_comes_to_the_longest_wait(
    receiving: Receiving,
) -> None:
    receiving.image()
    state, restarts = StudyState.RECEIVING.value, 0
    while state == StudyState.RECEIVING and restarts < 40:
        receiving.restart()
        state = receiving.after(30)
        restarts += 1
    assert (state, restarts) == (StudyState.COMPLETE, 20)
    assert receiving.reason == "longest wait over"


@pytest.mark.parametrize("seconds", [-86400, 86400])
def test_a_clock_that_was_set_completes_nothing_even_with_a_restart(
    receiving: Receiving, seconds: float
) -> None:
    receiving.image()
    assert receiving.after(10) == StudyState.RECEIVING
    receiving.clock.jump(seconds)
    receiving.restart()
    assert receiving.after(59) == StudyState.RECEIVING
    assert receiving.after(1) == StudyState.COMPLETE
    assert receiving.reason == "quiet"
