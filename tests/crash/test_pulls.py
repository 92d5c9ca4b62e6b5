"""SIGKILL at every marked point of a pull: each study is fetched, and asked for once too often."""

import importlib
import signal
from collections.abc import Callable, Iterator
from operator import attrgetter
from pathlib import Path

import pytest

from pacs_ai.config.load import load_config
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.pulls import list_pulls, pull_studies
from pacs_ai.node.wiring import node_context
from pacs_ai.store import pulls
from pacs_ai.store.schema import Instance
from pacs_ai.store.timeline import events_of
from tests.crash.one_process import NAME, Order, forking
from tests.databases import with_schema, write_schema
from tests.scripted_archive import ScriptedArchive, ct, scripted_archive
from tests.web_peer import Answer

pytestmark = pytest.mark.crash

GOOD, PARTLY, UNKNOWN = "1.2.1", "1.2.2", "1.2.3"
STUDIES = (GOOD, PARTLY, UNKNOWN)

CONFIG = """
[storage]
min_free_gb = 0
database = "{database}"
[study]
quiet_seconds = 0.1
release_seconds = 0
[peers.archive]
kind = "dicomweb"
url = "{url}"
retry_first_seconds = 0.01
retry_max_seconds = 0.01
"""

STORE = "pacs_ai.store.pulls"
FETCH = "pacs_ai.flow.retrieve"
POINTS = [
    f"{STORE}:enter:after",
    f"{STORE}:claim:after",
    f"{FETCH}.pull:retrieve_study:before",
    f"{FETCH}.study:_by_wado:after",
    f"{FETCH}.pull:retrieve_study:after",
    f"{STORE}:done:after",
    f"{STORE}:postpone:after",
    f"{STORE}:fail:after",
    f"{FETCH}.pull:Puller._fetch:after",
    f"{STORE}:take_back:after",
    "pacs_ai.flow.completion:close:after",
]
"""What is in a transaction, and what is between two."""

ON_POSTGRESQL = {f"{STORE}:enter:after", f"{STORE}:claim:after", f"{STORE}:done:after"}

Perform = Callable[[Order], int]


@pytest.fixture(scope="module")
def perform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perform]:
    with forking(tmp_path_factory.mktemp("nodes")) as ordered:
        yield ordered


def configured(folder: Path, url: str, database: str = "", more: str = "") -> Path:
    """Write the configuration of a node with one archive; the database is new."""
    if database:
        with_schema(database).close()
    else:
        database = f"sqlite:///{folder}/pacs-ai.db"
        write_schema(folder / "pacs-ai.db")
    config = folder / "pacs-ai.toml"
    config.write_text(CONFIG.format(url=url, database=database) + more, "utf-8")
    return config


def script(study: str, number: int) -> Answer | None:
    """Leave out of one study all that it has, at first."""
    return Answer(206) if study == PARTLY and number == 1 else None


@pytest.mark.parametrize("point", POINTS)
def test_every_point_is_there(point: str) -> None:
    module, path, _ = point.split(":")
    assert callable(attrgetter(path)(importlib.import_module(module)))


@pytest.mark.parametrize("point", POINTS)
def test_killed_once_and_each_study_fetched_all_the_same(
    point: str, tmp_path: Path, perform: Perform
) -> None:
    check_killed(point, tmp_path, perform)


@pytest.mark.parametrize("point", sorted(ON_POSTGRESQL))
def test_the_same_on_postgresql(
    point: str, tmp_path: Path, perform: Perform, postgres: str
) -> None:
    check_killed(point, tmp_path, perform, postgres)


def check_killed(point: str, folder: Path, perform: Perform, database: str = "") -> None:
    """Fetch three studies, with a node that dies at a point; then look at all rows."""
    archive = ScriptedArchive({one: ct(one) for one in (GOOD, PARTLY)}, script)
    with scripted_archive(archive) as url:
        config = configured(folder, url, database)
        if "take_back" in point:
            _was_fetching(config)
        order = Order(str(config), "archive", STUDIES, kill=f"{point}:{folder / 'died'}")
        assert perform(order) == -signal.SIGKILL
        assert perform(order) == 0
    context = node_context(load_config(config))
    rows = {one.study_instance_uid: one for one in list_pulls(context)}
    assert {uid: one.state for uid, one in rows.items()} == {
        GOOD: "DONE",
        PARTLY: "DONE",
        UNKNOWN: "FAILED",
    }
    needed = {GOOD: 1, PARTLY: 2, UNKNOWN: 1}
    too_often = sum(archive.asked[uid] - count for uid, count in needed.items())
    assert 0 <= too_often <= 1, archive.asked
    with context.database.read() as session:
        assert session.query(Instance).count() == len((GOOD, PARTLY))
        for one in rows.values():
            trail = events_of(session, pulls.PULL, [one.id])[str(one.id)]
            states = [trail[0].from_state, *(event.to_state for event in trail)]
            assert [event.from_state for event in trail] == states[:-1], "no step without its line"
            assert states[-1] == one.state
    assert list((context.spool.home / "tmp").iterdir()) == []
    context.database.close()


def _was_fetching(config: Path) -> None:
    """Leave a row behind of what a node was fetching when it ended."""
    context = _node(config)
    pull_studies(context, "archive", STUDIES)
    with context.write() as transaction:
        assert pulls.claim(transaction, "archive") is not None
    context.database.close()


def _node(config: Path) -> FlowContext:
    return node_context(load_config(config), owner=f"{NAME}/before/1")


def test_a_request_to_cancel_is_done_wholly_or_not_at_all(tmp_path: Path, perform: Perform) -> None:
    archive = ScriptedArchive({})
    with scripted_archive(archive) as url:
        config = configured(tmp_path, url)
        _was_fetching(config)
        point = f"{STORE}:cancel:after:{tmp_path / 'died'}"
        assert perform(Order(str(config), "archive", cancel=True, kill=point)) == -signal.SIGKILL
        context = _node(config)
        assert {one.state for one in list_pulls(context)} == {"QUEUED"}
        assert perform(Order(str(config), "archive", cancel=True, kill=point)) == 0
        assert {one.state for one in list_pulls(context)} == {"CANCELLED"}
        context.database.close()
    assert archive.asked == {}
