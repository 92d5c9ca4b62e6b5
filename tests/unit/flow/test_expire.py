"""What waits for a person has an end, which is told before it comes."""

import os
from collections.abc import Callable
from datetime import timedelta

import pytest
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock, SteadyDate
from pacs_ai.domain import DeliveryState, JobState, StudyState
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.expire import Expiry, all_files_aside, held_studies
from pacs_ai.flow.retain import retain
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store import expiry, jobs, overview
from pacs_ai.store.schema import Delivery, Job, Study
from pacs_ai.store.transition import move
from tests.spool_files import instance_paths, result_paths
from tests.unit.flow.test_retain import analysed
from tests.unit.store.samples import MODEL

DAY = timedelta(days=1).total_seconds()


def conflict(context: FlowContext) -> None:
    """Put the study (row 1), which was routed, in CONFLICT."""
    arrow = (StudyState.ROUTED, StudyState.CONFLICT)
    with context.write() as transaction:
        assert move(transaction, Study, 1, arrow)


@pytest.fixture
def held(send: Callable[..., StoreAnswer], ct: Dataset, context: FlowContext) -> str:
    """A study in CONFLICT with a result that waits to be sent; the path of that."""
    assert send(ct).status == 0
    made = analysed(context, MODEL, "archive")
    conflict(context)
    return made.path


def state(context: FlowContext) -> str:
    with context.database.read() as session:
        return session.get_one(Study, 1).state


def test_a_study_that_nobody_resolves_goes_and_was_told_of(
    context: FlowContext, clock: ManualClock, held: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sweeps = Expiry(context)
    clock.advance(26 * DAY)
    assert sweeps.sweep(clock.now()) == 0
    clock.advance(2 * DAY)
    assert sweeps.sweep(clock.now()) == sweeps.sweep(clock.now()) == 0
    text = "".join(capsys.readouterr())
    assert text.count("study in conflict will be removed") == 1
    assert "2026-01-31" in text
    clock.advance(2 * DAY)
    assert sweeps.sweep(clock.now()) == 1
    assert state(context) == StudyState.PURGED
    assert instance_paths(context.spool) == result_paths(context.spool) == set()
    assert not context.spool.path_of(held).exists()
    with context.database.read() as session:
        assert session.get_one(Delivery, 1).state == DeliveryState.CANCELLED
        assert overview.events(session, "study", "1")[-1].note == expiry.NOTE


def test_its_end_is_counted_from_the_conflict_and_can_be_seen(
    context: FlowContext, clock: ManualClock, send: Callable[..., StoreAnswer], ct: Dataset
) -> None:
    assert send(ct).status == 0
    analysed(context, MODEL)
    clock.advance(20 * DAY)
    conflict(context)
    ((study, ends),) = held_studies(context)
    assert (study.id, ends) == (1, clock.now() + timedelta(days=30))
    clock.advance(29 * DAY)
    assert Expiry(context).sweep(clock.now()) == 0
    assert state(context) == StudyState.CONFLICT


def test_nothing_goes_while_something_is_under_way(
    context: FlowContext, clock: ManualClock, send: Callable[..., StoreAnswer], ct: Dataset
) -> None:
    assert send(ct).status == 0
    analysed(context, MODEL)
    with context.write() as transaction:
        study = transaction.get_one(Study, 1)
        job = jobs.create(transaction, study, ["other"], "other", MODEL)
        transaction.get_one(Job, job).state = JobState.RUNNING
    conflict(context)
    clock.advance(100 * DAY)
    assert Expiry(context).sweep(clock.now()) == 0
    assert state(context) == StudyState.CONFLICT


@pytest.mark.parametrize("folder", ["quarantine", "variants"])
def test_files_set_aside_go_and_were_told_of(
    folder: str,
    context: FlowContext,
    clock: ManualClock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = context.spool.home / folder / "one.dcm"
    file.write_bytes(b"set aside")
    begin = clock.now().timestamp()
    os.utime(file, (begin, begin))
    (context.spool.home / "lock").touch()
    (aside,) = all_files_aside(context)
    assert aside.ends == clock.now() + timedelta(days=30)
    sweeps = Expiry(context)
    clock.advance(28 * DAY)
    assert sweeps.sweep(clock.now()) == 0
    assert "files set aside will be removed" in "".join(capsys.readouterr())
    assert file.exists()
    clock.advance(3 * DAY)
    assert sweeps.sweep(clock.now()) == 1
    assert not file.exists()


def test_what_is_set_aside_ages_from_then(
    context: FlowContext, send: Callable[..., StoreAnswer], ct: Dataset
) -> None:
    assert send(ct).status == 0
    (path,) = instance_paths(context.spool)
    os.utime(context.spool.path_of(path), (0, 0))
    context.spool.set_aside(path, "quarantine")
    ((_, since),) = context.spool.aside()
    assert since > 10**9


@pytest.mark.usefixtures("held")
def test_a_clock_set_forth_by_years_removes_nothing(
    context: FlowContext, clock: ManualClock
) -> None:
    date, sweeps = SteadyDate(clock), Expiry(context)
    clock.jump(10 * 365 * DAY)
    clock.advance(DAY)
    assert retain(context, date.now()) == sweeps.sweep(date.now()) == 0
    clock.jump(-20 * 365 * DAY)
    assert retain(context, date.now()) == sweeps.sweep(date.now()) == 0
    assert state(context) == StudyState.CONFLICT
