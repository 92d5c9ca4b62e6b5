"""The process that serves the page: nothing that happens to it reaches the rest of the node."""

import contextlib
import json
import os
import re
import signal
import socket
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.node import Node, node
from tests.samples import new_study

pytestmark = pytest.mark.e2e

ON = {"PACS_AI_WEB_ENABLED": "true", "PACS_AI_WEB_PORT": "0"}
SECONDS = 60


@pytest.fixture(name="node")
def node_with_page(free_port: Callable[[], int], tmp_path: Path) -> Iterator[Node]:
    with node(tmp_path / "node", free_port(), **ON) as one:
        yield one


def page_port(node: Node) -> int:
    """The port that the start prints."""
    node.wait_for(lambda: re.search(r"page +http://127\.0\.0\.1:\d+/", node.log))
    found = re.findall(r"page +http://127\.0\.0\.1:(\d+)/", node.log)
    return int(found[-1])


def ask(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=SECONDS) as answer:
        body: bytes = answer.read()
        return body


def answers(port: int) -> bool:
    with contextlib.suppress(OSError):
        return json.loads(ask(port, "/healthz"))["status"] == "ok"
    return False


def test_it_is_served_and_replaced_and_ends_with_the_node(node: Node, tmp_path: Path) -> None:
    node.start()
    port = page_port(node)
    node.wait_for(lambda: answers(port))
    assert json.loads(ask(port, "/readyz"))["status"] == "ready"
    (first,) = node.children("pacs_ai.web.process")
    assert os.getpriority(os.PRIO_PROCESS, first) > 0

    os.kill(first, signal.SIGKILL)
    assert node.send(*new_study(tmp_path / "a")) == [0]
    node.wait_for(lambda: answers(port))
    (second,) = node.children("pacs_ai.web.process")
    assert second != first

    os.kill(second, signal.SIGSTOP)
    assert node.send(*new_study(tmp_path / "b")) == [0]
    node.wait_for(lambda: node.children("pacs_ai.web.process") not in ([], [second]))
    node.wait_for(lambda: answers(port))
    (third,) = node.children("pacs_ai.web.process")

    assert node.stop() == 0
    assert not Path(f"/proc/{third}").exists()
    events = set(re.findall(r"event_id=(page\.\w+)", node.log))
    assert events == {"page.served", "page.died", "page.replaced"}


def test_a_flood_leaves_receiving_untouched(node: Node, tmp_path: Path) -> None:
    node.start()
    port = page_port(node)
    node.wait_for(lambda: answers(port))
    with contextlib.ExitStack() as held:
        for _ in range(200):  # more connections than it serves
            flood = held.enter_context(socket.socket())
            flood.settimeout(SECONDS)
            flood.connect(("127.0.0.1", port))
            flood.sendall(b"GET /healthz HTTP/1.1\r\n")  # a request that never ends
        assert node.send(*new_study(tmp_path / "a")) == [0]
        # those that send no whole request make room for others
        node.wait_for(lambda: answers(port))


def test_a_taken_port_leaves_dicom_running(node: Node, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        node.environment["PACS_AI_WEB_PORT"] = str(port)
        node.start()
        node.wait_for(lambda: "page.not_served" in node.log)
        assert node.send(*new_study(tmp_path / "a")) == [0]
        assert "page  " not in node.log
    node.wait_for(lambda: answers(port))


def test_an_open_address_is_not_served_without_a_token(node: Node, tmp_path: Path) -> None:
    node.environment["PACS_AI_WEB_HOST"] = "0.0.0.0"  # noqa: S104 - to be refused
    node.start()
    node.wait_for(lambda: "page.not_started" in node.log)
    assert node.send(*new_study(tmp_path / "a")) == [0]
    refused = node.command("web", "--host", "0.0.0.0")  # noqa: S104 - to be refused
    assert refused.returncode == 2
    assert "pacs-ai tokens add" in refused.stderr
