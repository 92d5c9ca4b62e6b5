"""The log of the processes on the page: their own lines, for those who may see them."""

from pathlib import Path

import pytest

from pacs_ai.config.sections import Log
from pacs_ai.domain import Role
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.tokens import add_token
from pacs_ai.logs import get_logger, read_tail, setup_logging, tail_path
from pacs_ai.node.wiring import node_name
from pacs_ai.web.app import make_app
from tests.http_client import HttpClient


@pytest.fixture
def tail(context: FlowContext) -> Path:
    home = context.spool.root / node_name()
    home.mkdir(exist_ok=True)
    return tail_path(home)


def test_the_page_shows_what_is_on_standard_error(
    context: FlowContext, tail: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    setup_logging(Log(), None, tail)
    get_logger().info("page served", address="<127.0.0.1>\n")
    assert capsys.readouterr().err == tail.read_text()
    client = HttpClient(make_app(context))
    text = client.get("/log/lines").text
    assert "page served" in text
    assert "&lt;127.0.0.1&gt;\\x0a" in text
    assert "every 3s" not in text
    assert 'hx-trigger="every 3s"' in client.get("/log/lines?follow").text
    assert client.get("/log/lines?node=../x").status_code == 404
    assert "/log/lines" in client.get("/log").text


def test_a_viewer_does_not_see_it(context: FlowContext) -> None:
    viewer = add_token(context, "otto", Role.VIEWER).token
    operator = add_token(context, "anna", Role.OPERATOR).token
    client = HttpClient(make_app(context))
    for token, status in ((viewer, 403), (operator, 200)):
        assert client.get("/log/lines", authorization=f"Bearer {token}").status_code == status
    assert 'href="/log/lines"' not in client.get("/log", authorization=f"Bearer {viewer}").text


def test_the_file_is_bounded_and_private(tail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pacs_ai.logs.TAIL_BYTES", 1000)
    setup_logging(Log(format="json"), None, tail)
    for number in range(50):
        get_logger().info("page served", address=str(number))
    both = [tail, tail.with_name("log.1")]
    assert all(file.stat().st_size < 1300 for file in both)
    assert all(file.stat().st_mode & 0o077 == 0 for file in both)
    assert '"address": "49"' in read_tail(tail, 3)[-1]
    assert read_tail(tail.with_name("nothing"), 3) == []


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    setup_logging(Log(), None, tmp_path / "absent" / "log")
    get_logger().info("page served")
