"""Nodes that share a database and a spool know of each other by rows with a sign of life."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog

from pacs_ai.clock import ManualClock, pause
from pacs_ai.config import Config
from pacs_ai.errors import ConfigError
from pacs_ai.flow import node_misfits, presence
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.one_node import on_one_node
from pacs_ai.flow.presence import SILENT_LOOKS, Presence
from pacs_ai.store import one_node, running_nodes
from pacs_ai.store.running_nodes import RunningNode
from pacs_ai.store.session import Database, Session
from pacs_ai.store.spool import Spool
from tests.both_databases import open_database  # noqa: F401 - takes the place of another fixture


@pytest.fixture
def clock() -> ManualClock:
    """The time of PostgreSQL's server, which is compared with it."""
    return ManualClock(datetime.now(UTC))


def neighbour(context: FlowContext, name: str = "other") -> FlowContext:
    """Return another node of the same database, with a folder of its own."""
    spool = Spool(context.spool.root, name)
    spool.open()
    return replace(context, owner=f"{name}/boot2/7", spool=spool)


def of(context: FlowContext, lost: Callable[[], None] = lambda: None) -> Presence:
    return Presence(context, lost, listening=True)


def change(context: FlowContext, name: str, **values: object) -> None:
    with context.write() as transaction:
        transaction.execute(sa.update(RunningNode).where(RunningNode.name == name).values(**values))


def rows(context: FlowContext) -> list[RunningNode]:
    with context.database.read() as session:
        return list(running_nodes.all_nodes(session))


def test_a_node_without_a_sign_of_life_is_gone_and_one_with_it_is_not(context: FlowContext) -> None:
    other = neighbour(context)
    presence.join(context, listening=True)
    presence.join(other, listening=False)
    mine, its = of(context), of(other)
    for _ in range(SILENT_LOOKS + 2):
        its.sweep()
        mine.sweep()
        assert not mine.is_gone("other")
    for look in range(SILENT_LOOKS):
        assert not mine.is_gone("other"), look
        mine.sweep()
    assert mine.is_gone("other")
    its.sweep()
    mine.sweep()
    assert not mine.is_gone("other"), "it was only frozen"


def test_looks_count_and_not_time_as_the_database_may_be_away(
    context: FlowContext, clock: ManualClock
) -> None:
    presence.join(neighbour(context), listening=True)
    mine = of(context)
    mine.sweep()
    clock.advance(3600)
    mine.sweep()
    assert not mine.is_gone("other")


def test_a_node_that_ended_in_order_is_gone_at_once(context: FlowContext) -> None:
    other = neighbour(context)
    presence.join(other, listening=True)
    mine = of(context)
    mine.sweep()
    presence.leave(other)
    mine.sweep()
    assert mine.is_gone("other")


def test_of_a_node_of_an_older_version_the_lock_of_its_folder_tells(context: FlowContext) -> None:
    other = neighbour(context)
    other.spool.lock()
    mine = of(context)
    mine.sweep()
    assert not mine.is_gone("other")
    other.spool.unlock()
    assert mine.is_gone("other")


def test_a_node_without_its_spool_gives_no_sign_of_life(context: FlowContext) -> None:
    presence.join(context, listening=True)
    mine = of(context)
    mine.sweep()
    (context.spool.home / "tmp").rename(context.spool.home / "away")
    mine.sweep()
    assert [one.beats for one in rows(context)] == [1]


def test_a_node_whose_row_was_removed_enters_itself_again(context: FlowContext) -> None:
    presence.join(context, listening=True)
    lost: list[str] = []
    mine = of(context, lambda: lost.append("lost"))
    presence.leave(context)
    mine.sweep()
    assert [(one.name, one.beats) for one in rows(context)] == [("node", 0)]
    mine.sweep()
    assert [one.beats for one in rows(context)] == [1]
    assert lost == []


def test_a_node_whose_name_another_host_has_now_ends(context: FlowContext) -> None:
    presence.join(context, listening=True)
    lost: list[str] = []
    mine = of(context, lambda: lost.append("lost"))
    change(context, "node", boot="another")
    mine.sweep()
    assert lost == ["lost"]
    assert [one.beats for one in rows(context)] == [0]


def test_the_name_of_another_host_that_works_is_refused(
    context: FlowContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    presence.join(context, listening=True)
    change(context, "node", machine="elsewhere", boot="another")

    def works_meanwhile(_seconds: float) -> None:
        change(context, "node", beats=5)

    monkeypatch.setattr(context.clock, "sleep", works_meanwhile)
    with pytest.raises(ConfigError, match=r"another host named node works .*: give each host"):
        presence.join(context, listening=True)
    change(context, "node", beats=6)
    monkeypatch.setattr(context.clock, "sleep", lambda _seconds: None)
    presence.join(context, listening=True)  # it gives no sign of life: it has died
    assert [one.boot for one in rows(context)] == ["boot"]


def test_another_spool_is_refused(
    context: FlowContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "_SPOOL_SECONDS", 0.0)
    presence.join(context, listening=True)
    elsewhere = Spool(tmp_path / "empty mount", "other")
    elsewhere.open()
    other = replace(neighbour(context), spool=elsewhere)
    with pytest.raises(ConfigError, match="what node node has written cannot be read here: mount"):
        presence.join(other, listening=True)
    assert [one.name for one in rows(context)] == ["node"]
    with context.database.read() as session:
        now = running_nodes.database_time(session, context.now())
    change(context, "node", seen_at=now - timedelta(seconds=90))
    presence.join(other, listening=True)  # the other one may be long gone


@pytest.mark.parametrize(
    ("ahead", "refused"), [(4.0, None), (-6.0, False), (59.0, False), (61.0, True), (-61.0, True)]
)
def test_a_clock_that_is_wrong_is_told_or_refused(ahead: float, *, refused: bool | None) -> None:
    found = list(node_misfits.clock_misfits(ahead))
    assert [one.refused for one in found] == ([] if refused is None else [refused])


def test_the_clock_of_the_database_is_what_counts(
    context: FlowContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_time(_session: Session, now: datetime) -> datetime:
        return now - timedelta(seconds=70)

    monkeypatch.setattr(running_nodes, "database_time", other_time)
    with pytest.raises(ConfigError, match="70 s ahead of that of the database: synchronise"):
        presence.join(context, listening=True)
    assert rows(context) == []


def test_locks_that_do_not_hold_between_hosts_are_told(context: FlowContext) -> None:
    other = neighbour(context)
    presence.join(other, listening=True)
    assert list(node_misfits.spool_misfits(context)) == []
    change(context, "other", machine="elsewhere")
    assert [one.refused for one in node_misfits.spool_misfits(context)] == [False]
    other.spool.lock()
    assert list(node_misfits.spool_misfits(context)) == []


def test_other_settings_and_versions_are_told(context: FlowContext) -> None:
    sections = {"node": {"port": 1}, "study": {"quiet_seconds": 7}}
    other = replace(neighbour(context), config=Config.model_validate(sections))
    presence.join(other, listening=True)
    with structlog.testing.capture_logs() as logged:
        presence.join(context, listening=True)
    assert [one["what"] for one in logged if one["event"] == "nodes do not fit together"] == [
        "node other has other settings than node in: study"
    ]
    change(context, "other", version="0.0.1")
    own, its = rows(context)
    (found,) = node_misfits.differences(own, [its])
    assert "is of version 0.0.1" in found.text
    assert "Upgrades" in found.remedy


def sweep_of(context: FlowContext, done: list[str]) -> None:
    done.append(context.owner)


def test_one_node_at_a_time_makes_a_sweep(context: FlowContext) -> None:
    done: list[str] = []
    with one_node.one_node(context.database, "sweep_of") as first:
        assert first
        on_one_node(sweep_of)(context, done)
        with one_node.one_node(context.database, "another") as other:
            assert other
    if not context.database.is_sqlite:
        assert done == []
        done.append("")
    on_one_node(sweep_of)(context, done)
    assert len(done) == 2


def test_a_node_that_is_frozen_in_a_sweep_stops_no_other(
    context: FlowContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    if context.database.is_sqlite:
        return
    monkeypatch.setattr(
        one_node, "_IDLE", sa.text("SET LOCAL idle_in_transaction_session_timeout = '100ms'")
    )
    frozen: AbstractContextManager[bool] = one_node.one_node(context.database, "sweep_of")
    assert frozen.__enter__()
    elsewhere = Database(context.database.url)
    try:
        for _ in range(100):
            with one_node.one_node(elsewhere, "sweep_of") as first:
                if first:
                    break
            pause(0.1)
        assert first
    finally:
        elsewhere.close()
    frozen.__exit__(None, None, None)


def test_somebody_who_is_no_node_sees_all_of_them(context: FlowContext) -> None:
    for one in (context, neighbour(context), neighbour(context, "third")):
        one.spool.lock()
        presence.join(one, listening=one is context)
    operator = replace(context, owner="operator")
    looked = node_misfits.look_at_nodes(operator)
    assert (looked.at_work, looked.silent, looked.misfits) == (["node", "other", "third"], {}, [])
    assert looked.listening == {"node"}
    with context.database.read() as session:
        now = running_nodes.database_time(session, context.now())
    change(context, "other", seen_at=now - timedelta(seconds=90))
    change(context, "third", clock_ahead=-8.0, version="0.0.1")
    looked = node_misfits.look_at_nodes(operator)
    assert (looked.at_work, list(looked.silent)) == (["node", "third"], ["other"])
    assert len(looked.misfits) == 2
    assert "the clock of node third is -8 s" in looked.misfits[0].text
    assert "node third is of version 0.0.1" in looked.misfits[1].text
