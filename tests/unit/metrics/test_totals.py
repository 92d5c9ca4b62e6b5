"""Totals over the audit trail: those of the trail, whatever is killed and whenever."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from pacs_ai.flow.context import FlowContext
from pacs_ai.metrics.totals import SECONDS, Times, Totals
from pacs_ai.store import deliveries, jobs
from pacs_ai.store.schema import Event
from tests.unit.store.samples import NOW, analysed_job, made, routed_job

KNOWN = frozenset({"demo", "pacs"})


def follow(totals: Totals, context: FlowContext, known: frozenset[str] = KNOWN) -> Totals:
    with context.database.read() as session:
        while totals.follow(session, known, context.now()):
            pass
    return totals


@pytest.fixture
def worked(context: FlowContext) -> FlowContext:
    """A node that has analysed one study for 2 s and has its result to send."""
    with context.write() as transaction:
        transaction.now = NOW
        analysed_job(transaction)
    return context


def test_changes_and_times_are_counted_once(worked: FlowContext) -> None:
    totals = follow(Totals(), worked)
    assert totals.counts["job", "demo", "RUNNING", "SUCCEEDED"] == 1
    assert totals.counts["delivery", "pacs", "", "PENDING"] == 1
    assert totals.counts["study", "", "COMPLETE", "ROUTED"] == 1
    assert totals.times["analyse", "demo"].seconds == 2
    assert totals.times["queue", "demo"].classes[SECONDS.index(1.0)] == 1
    assert list(totals.since) == [("delivery", "1")]
    before = dict(totals.counts)
    assert follow(totals, worked).counts == before


def test_a_lost_file_and_an_old_file_give_the_same_totals(
    worked: FlowContext, tmp_path: Path
) -> None:
    path = tmp_path / "totals.json"
    totals = follow(Totals.kept(path), worked)
    totals.keep(path)
    with worked.write() as transaction:
        deliveries.claim(transaction, jobs.JobId(_job(worked)), "pacs", lease_seconds=60)
    follow(totals, worked)
    assert totals.counts["delivery", "pacs", "PENDING", "SENDING"] == 1
    assert follow(Totals.kept(path), worked) == totals
    assert follow(Totals(), worked) == totals
    for broken in ("", "{", '{"format": 0}', '{"format": 1}'):
        path.write_text(broken)
        assert Totals.kept(path) == Totals()


def _job(context: FlowContext) -> str:
    with context.database.read() as session:
        return session.scalars(sa.select(jobs.Job.id)).one()


def test_an_older_database_is_counted_from_its_begin(worked: FlowContext) -> None:
    totals = follow(Totals(position=10_000, counts=Totals().counts), worked)
    assert totals == follow(Totals(), worked)


def test_a_change_that_commits_late_is_counted(worked: FlowContext) -> None:
    """PostgreSQL hands out ids before the transactions commit."""
    with worked.write() as transaction:
        late = transaction.scalars(sa.select(Event).order_by(Event.id)).all()[2]
        values = {column.key: getattr(late, column.key) for column in Event.__table__.columns}
        transaction.execute(sa.delete(Event).where(Event.id == late.id))
    totals = follow(Totals(), worked)
    assert list(totals.missing) == [late.id]
    with worked.write() as transaction:
        transaction.execute(sa.insert(Event).values(**values))
    follow(totals, worked)
    assert not totals.missing
    assert totals.counts == follow(Totals(), worked).counts


def test_a_change_that_never_commits_is_given_up(worked: FlowContext) -> None:
    with worked.write() as transaction:
        transaction.execute(sa.delete(Event).where(Event.id == 2))
    totals = follow(Totals(), worked)
    with worked.database.read() as session:
        totals.follow(session, KNOWN, worked.now() + timedelta(hours=1))
    assert not totals.missing


def test_names_that_are_not_configured_share_a_label(worked: FlowContext) -> None:
    totals = follow(Totals(), worked, frozenset({"pacs"}))
    assert {name for _, name, *_ in totals.counts} == {"", "other", "pacs"}


def test_a_clock_that_was_set_back_makes_no_negative_time(
    make_context: Callable[..., FlowContext],
) -> None:
    context = make_context()
    with context.write() as transaction:
        _, job = routed_job(transaction)
        transaction.now -= timedelta(days=1)
        lease = jobs.claim(transaction, job, 60)
        assert lease is not None
        jobs.succeed(transaction, lease, [made()], "")
    assert follow(Totals(), context).times["queue", "demo"] == Times(0.0, [1] + [0] * len(SECONDS))
