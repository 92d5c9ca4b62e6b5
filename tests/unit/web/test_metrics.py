"""``/metrics`` of the page, for a program on this machine and for one with a token."""

import pytest

from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.traffic import TrafficMeter
from pacs_ai.web.app import make_app
from tests.http_client import HttpClient


@pytest.fixture
def client(context: FlowContext) -> HttpClient:
    meter = TrafficMeter(context.spool, "daemon")
    meter.begin()
    meter.stored(0, 100, 0.01)
    return HttpClient(make_app(context))


def test_prometheus_reads_what_was_received(client: HttpClient) -> None:
    for _ in range(2):
        answer = client.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain")
        assert 'pacs_ai_store_answers_total{status="0000"} 1.0' in answer.text


def test_another_machine_needs_a_token(client: HttpClient) -> None:
    client.address = "192.0.2.7"
    assert client.get("/metrics").status_code == 401
