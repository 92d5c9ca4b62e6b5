"""Rules are taken while the node works, or refused; a task ends with those that it began with."""

from dataclasses import replace

import pytest

from pacs_ai.config import Config
from pacs_ai.errors import ConfigError
from pacs_ai.flow.context import FlowContext, RulesInForce
from pacs_ai.flow.current_rules import (
    RulesWatch,
    begin_with,
    node_of,
    reload_rules,
    up_to_date,
    with_rules,
)
from pacs_ai.store import rule_sets
from pacs_ai.web import overview

MR = {"rules": [{"name": "MR", "model": "demo", "when": {"PatientName": "CANARY*"}}]}


def other(context: FlowContext, **sections: object) -> Config:
    return Config.model_validate({**context.config.model_dump(mode="json"), **sections})


@pytest.fixture
def node(context: FlowContext) -> FlowContext:
    begin_with(context)
    return context


def process(node: FlowContext) -> FlowContext:
    """The node as another of its processes sees it, which was started with the same file."""
    return replace(node, in_force=RulesInForce())


def names(node: FlowContext) -> list[str]:
    return [rule.name for rule in up_to_date(node).config.rules]


def test_all_processes_take_the_same_revision(node: FlowContext) -> None:
    worker, web = process(node), process(node)
    assert names(worker) == names(node) == ["everything"]
    revision, changed = reload_rules(node, node_of(node), lambda: other(node, **MR))
    assert changed
    assert names(node) == names(worker) == names(web) == ["MR"]
    assert {one.in_force.known[0] for one in (node, worker, web)} == {revision}
    assert reload_rules(node, node_of(node), lambda: other(node, **MR)) == (revision, False)


def test_a_step_ends_with_the_rules_that_it_began_with(node: FlowContext) -> None:
    def step(context: FlowContext) -> list[str]:
        reload_rules(node, node_of(node), lambda: other(node, **MR))
        return [rule.name for rule in context.config.rules]

    assert with_rules(step)(node) == ["everything"]
    assert names(node) == ["MR"]


def test_only_what_a_reload_may_change_is_taken(node: FlowContext) -> None:
    wanted = other(
        node,
        **MR,
        study={"quiet_seconds": 7},
        peers={"pacs": {"ae_title": "PACS", "host": "h", "port": 104}},
        limits={"idle_seconds": 7},
    )
    reload_rules(node, node_of(node), lambda: wanted)
    config = up_to_date(process(node)).config
    assert config.study.quiet_seconds == 7
    assert list(config.peers) == ["pacs"]
    assert config.limits == node.config.limits


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        (
            {"rules": [{"name": "a", "model": "demo", "when": {"Mdality": "CT"}}]},
            "no DICOM keyword",
        ),
        (
            {
                "models": {"demo": {"bundle": "demo"}, "new": {"bundle": "demo"}},
                "rules": [{"name": "a", "model": "new"}],
            },
            "the node has not loaded the model 'new'",
        ),
    ],
)
def test_bad_rules_are_refused_and_the_page_says_so(
    node: FlowContext, sections: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        reload_rules(node, node_of(node), lambda: other(node, **sections))
    assert names(process(node)) == ["everything"]
    [alarm] = [one for one in overview.status(node).wrong if one.what == "rules"]
    assert said in alarm.text
    assert "pacs-ai rules reload" in alarm.remedy
    reload_rules(node, node_of(node), lambda: node.config)
    assert not [one for one in overview.status(node).wrong if one.what == "rules"]


def test_a_peer_that_results_wait_for_stays(
    node: FlowContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pacs_ai.store.sending.open_destinations", lambda _: ["archive"])
    with pytest.raises(ConfigError, match=r"peers\.archive is gone, and results wait for it"):
        reload_rules(node, node_of(node), lambda: other(node, peers={}))


def test_no_value_that_may_name_a_patient_gets_into_database_or_log(
    node: FlowContext, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = {"rules": [{"name": "a", "model": "demo", "when": {"PatientBirthDate": "CANARY"}}]}
    watch = RulesWatch(node)
    watch.look()
    watch.reload(lambda: other(node, **bad))
    watch.reload(lambda: other(node, **MR))
    log = capsys.readouterr()
    assert "rules refused" in log.out + log.err
    assert "rules taken" in log.out + log.err
    with node.database.read() as session:
        row = rule_sets.in_force(session, node_of(node))
    assert row is not None
    file = node.spool.path_of(row.path)
    assert "CANARY" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    assert "CANARY" not in log.out + log.err
    assert node.database.is_sqlite is False or b"CANARY" not in _database(node)


def _database(node: FlowContext) -> bytes:
    with node.database.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM rule_set").fetchall()
        rows += connection.exec_driver_sql("SELECT * FROM event").fetchall()
    return repr(rows).encode()
