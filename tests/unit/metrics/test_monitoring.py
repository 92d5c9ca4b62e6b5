"""What deploy/ asks of the metrics: the board and the alarms name metrics that there are."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from pacs_ai.flow.context import FlowContext
from pacs_ai.metrics.exposition import Metrics

NAME = re.compile(r"pacs_ai_[a-z_]+")
SUFFIXES = ("_total", "_bucket", "_count", "_sum")


@pytest.fixture
def known(context: FlowContext) -> set[str]:
    """Names of all metrics, without the suffixes that their kinds add."""
    text = Metrics(context).text()[0].decode()
    return {family.name for family in text_string_to_metric_families(text)}


def base(name: str, known: set[str]) -> str:
    return next(
        (name.removesuffix(end) for end in SUFFIXES if name.removesuffix(end) in known), name
    )


def used(text: str, known: set[str]) -> set[str]:
    return {base(name, known) for name in NAME.findall(text)}


def expressions(board: Path) -> list[str]:
    panels = json.loads(board.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def test_board_and_alarms_use_metrics_that_there_are(known: set[str], root: Path) -> None:
    board = "\n".join(expressions(root / "deploy" / "grafana" / "pacs-ai.json"))
    groups = yaml.safe_load((root / "deploy" / "prometheus" / "alerts.yml").read_text())["groups"]
    alarms = "\n".join(rule["expr"] for group in groups for rule in group["rules"])
    assert len(used(board, known)) > 10
    assert len(used(alarms, known)) > 8
    assert used(board + alarms, known) - known == set()


def test_every_metric_is_explained(known: set[str], root: Path) -> None:
    page = (root / "docs" / "operations.md").read_text()
    assert known
    assert known - used(page, known) == set()


def test_a_metric_that_is_gone_would_be_named(known: set[str]) -> None:
    assert used("rate(pacs_ai_gone_total[5m])", known) - known == {"pacs_ai_gone_total"}


@pytest.mark.integration
def test_prometheus_takes_configuration_rules_and_metrics(
    context: FlowContext, root: Path, tool: Callable[[str], Path]
) -> None:
    folder = root / "deploy" / "prometheus"
    text = Metrics(context).text()[0]
    for arguments, given in (
        (["check", "config", "prometheus.yml"], b""),
        (["test", "rules", "alerts_test.yml"], b""),
        (["check", "metrics"], text),
    ):
        done = subprocess.run(
            [tool("promtool"), *arguments],
            cwd=folder,
            input=given,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.integration
def test_prometheus_takes_the_expressions_of_the_board(
    root: Path, tmp_path: Path, tool: Callable[[str], Path]
) -> None:
    found = expressions(root / "deploy" / "grafana" / "pacs-ai.json")
    plain = [text.replace("$__rate_interval", "1m").replace("$instance", ".*") for text in found]
    rules = [{"record": f"board:{number}", "expr": text} for number, text in enumerate(plain)]
    file = tmp_path / "board.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}))
    done = subprocess.run(
        [tool("promtool"), "check", "rules", file], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
