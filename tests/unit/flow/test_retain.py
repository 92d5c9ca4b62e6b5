from collections.abc import Callable
from datetime import timedelta

import pytest
from pydicom.dataset import Dataset

from pacs_ai.clock import ManualClock
from pacs_ai.domain import JobId, ModelIdentity, StudyState
from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.recover import restart
from pacs_ai.flow.retain import retain
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store import jobs, results, studies
from pacs_ai.store.results import StoredResult
from pacs_ai.store.schema import Study
from tests.spool_files import instance_paths, result_paths
from tests.unit.store.samples import MODEL

DAY = 24 * 3600


def analysed(context: FlowContext, model: ModelIdentity, *send_to: str) -> StoredResult:
    """Route the study, and let a job make one result of it."""
    path = context.spool.write_result([b"a result"], ".dcm")
    made = StoredResult(
        "report", 1, "1.2", "2.25.1", "2.25.2", path, "00" * 32, send_to, fresh=True
    )
    with context.write() as transaction:
        study = transaction.get_one(Study, 1)
        assert studies.close(transaction, 1, 1, reason="quiet")
        assert studies.routed(transaction, 1, 1, reason="")
        job_id = jobs.create(transaction, study, ["a rule"], "demo", model)
        lease = jobs.claim(transaction, job_id, 60)
        jobs.succeed(transaction, lease, [made], "")
    return made


def later(clock: ManualClock, days: float) -> None:
    clock.advance(timedelta(days=days).total_seconds())


@pytest.fixture
def received(send: Callable[..., StoreAnswer], ct: Dataset) -> None:
    assert send(ct).status == 0


@pytest.mark.usefixtures("received")
def test_files_of_images_and_results_go_together_after_the_keep_time(
    context: FlowContext, clock: ManualClock
) -> None:
    made = analysed(context, MODEL)
    later(clock, 6.9)
    assert retain(context) == 0
    assert context.spool.path_of(made.path).is_file()
    later(clock, 0.2)
    assert retain(context) == 1
    assert result_paths(context.spool) == instance_paths(context.spool) == set()
    with context.database.read() as session:
        assert session.get_one(Study, 1).state == StudyState.PURGED
        row = results.find(session, "2.25.1")
        assert row is not None
        assert row.path == ""


@pytest.mark.usefixtures("received")
def test_nothing_goes_while_a_delivery_is_open(context: FlowContext, clock: ManualClock) -> None:
    made = analysed(context, MODEL, "archive")
    later(clock, 100)
    assert retain(context) == 0
    assert context.spool.path_of(made.path).is_file()


@pytest.mark.usefixtures("received")
def test_a_result_made_again_after_that_has_its_file_again(
    context: FlowContext, clock: ManualClock
) -> None:
    made = analysed(context, MODEL)
    later(clock, 8)
    retain(context)
    path = context.spool.write_result([b"made again"], ".dcm")
    again = StoredResult("report", 1, "1.2", "2.25.1", "2.25.2", path, "11" * 32, (), fresh=True)
    with context.write() as transaction:
        before = results.find(transaction, made.sop_instance_uid)
        assert before is not None
        row_id = before.id
        [row] = results.keep(transaction, JobId(before.job_id), [again])
        assert row.id == row_id
    with context.database.read() as session:
        row = results.find(session, "2.25.1")
        assert row is not None
        assert (row.path, row.digest) == (path, "11" * 32)


@pytest.mark.usefixtures("received")
def test_a_result_without_a_row_is_removed_at_the_next_start(context: FlowContext) -> None:
    made = analysed(context, MODEL)
    stray = context.spool.write_result([b"its worker was killed"], ".hl7")
    restart(context, Arrivals())
    assert result_paths(context.spool) == {made.path}
    assert not context.spool.path_of(stray).exists()


@pytest.mark.usefixtures("received")
def test_nothing_is_purged_while_the_spool_is_out_of_reach(
    context: FlowContext, clock: ManualClock
) -> None:
    analysed(context, MODEL)
    later(clock, 8)
    away = context.spool.home.with_name("unmounted")
    context.spool.home.rename(away)
    assert retain(context) == 0
    away.rename(context.spool.home)
    assert retain(context) == 1
