"""What ``pacs-ai doctor`` says of the nodes of a database."""

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from pacs_ai.cli import doctor
from pacs_ai.config import Config
from pacs_ai.config.sections import Storage
from pacs_ai.flow import presence
from pacs_ai.flow.context import FlowContext
from pacs_ai.node.wiring import node_context
from pacs_ai.store.running_nodes import RunningNode


@pytest.fixture
def config(tmp_path: Path) -> Config:
    database = f"sqlite:///{tmp_path}/rows.db"
    return Config(storage=Storage(database=database, spool=tmp_path / "spool", min_free_gb=0))


def running(config: Config, name: str, *, listening: bool) -> FlowContext:
    """Let a node begin."""
    context = node_context(config, owner=f"{name}/boot/1")
    context.spool.lock()
    presence.join(context, listening=listening)
    return context


def said(config: Config) -> list[tuple[str, str]]:
    return [(one.text, one.remedy) for one in doctor._nodes(config)]


def test_all_that_work_are_named_and_what_they_do(config: Config) -> None:
    nodes = [running(config, "first", listening=True), running(config, "second", listening=False)]
    assert said(config) == [("at work: first (receives), second", "")]
    for one in nodes:
        presence.leave(one)
    assert said(config) == [("none is at work", "")]


def test_one_that_was_killed_is_listed_for_a_day(config: Config) -> None:
    one = running(config, "first", listening=True)
    seen = one.now() - timedelta(hours=2)
    with one.write() as transaction:
        transaction.execute(sa.update(RunningNode).values(seen_at=seen))
    begin, end = (moment.astimezone() for moment in (seen, seen + timedelta(days=1)))
    assert said(config) == [
        (
            f"first has given no sign of life since {begin:%Y-%m-%d %H:%M:%S %z}",
            "start it again; if that host is gone for good, it is listed until "
            f"{end:%Y-%m-%d %H:%M:%S %z}",
        )
    ]
