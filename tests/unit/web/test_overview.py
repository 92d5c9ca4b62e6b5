"""The overview: what waits, what drifts, which nodes there are; and the models with their cards."""

from datetime import timedelta

import pytest

from pacs_ai.clock import ManualClock
from pacs_ai.config import ModelEntry
from pacs_ai.domain import DeliveryState
from pacs_ai.flow.context import FlowContext
from pacs_ai.store.drift_tables import DriftStream
from pacs_ai.store.schema import Delivery
from pacs_ai.store.spool import Spool
from pacs_ai.web.app import make_app
from pacs_ai.web.page.markdown import html_of
from pacs_ai.web.page.render import duration
from tests.http_client import HttpClient


@pytest.fixture
def client(context: FlowContext) -> HttpClient:
    models = {"demo": ModelEntry(bundle="demo")}
    object.__setattr__(context, "config", context.config.model_copy(update={"models": models}))
    return HttpClient(make_app(context), headers={"accept": "text/html"})


@pytest.mark.usefixtures("job")
def test_what_waits_is_said_before_it_is_wrong(
    context: FlowContext, clock: ManualClock, client: HttpClient
) -> None:
    with context.write() as transaction:
        for delivery in transaction.query(Delivery):
            delivery.state = DeliveryState.WAITING
    clock.advance(11 * 60 + 5)  # the delivery is made three seconds later than the job
    text = client.get("/").text
    assert "Nothing is wrong; something waits" in text
    assert "1 WAITING, the oldest since" in text
    assert "(11 minutes)" in text
    clock.advance(5 * 60)
    assert "1 thing to look at" in client.get("/").text


def test_drift_is_on_the_overview_the_models_and_in_the_status(
    context: FlowContext, client: HttpClient
) -> None:
    assert client.get("/api/v1/status").json()["drift"] == []
    shared = {"model_name": "demo", "manifest_sha256": "a" * 64, "modality": "CT", "studies": 60}
    with context.write() as transaction:
        for sender, alarms in (("CT1", {"mean": 50}), ("CT2", {})):
            transaction.add(
                DriftStream(
                    **shared,
                    sender=sender,
                    compared=60,
                    alarms=alarms,
                    alarm_since=context.now() if alarms else None,
                    shifts={"mean": [0.7, 2.0]},
                )
            )
    [found] = client.get("/api/v1/status").json()["drift"]
    assert (found["sender"], found["statistics"]) == ("CT1", "mean 0.70")
    assert "drift of CT1" in client.get("/").text
    models = client.get("/models").text
    assert "unlike" in models
    assert "CT2" in models


def test_a_page_without_a_daemon_says_that_none_runs(
    context: FlowContext, client: HttpClient
) -> None:
    assert "Nothing is wrong" in client.get("/").text
    daemon = Spool(context.spool.root, "vm")
    daemon.home.mkdir(parents=True, exist_ok=True)
    daemon.lock()
    assert "Nothing is wrong" in client.get("/").text
    daemon.unlock()
    assert "no daemon runs" in client.get("/").text
    wrong = client.get("/api/v1/status").json()["wrong"]
    assert [(one["what"], one["text"]) for one in wrong] == [("node", "no daemon runs")]


def test_several_nodes_are_named(context: FlowContext, client: HttpClient) -> None:
    assert "Nodes that share the spool" not in client.get("/").text
    for name in ("a", "b"):
        spool = Spool(context.spool.root, name)
        spool.open()
        spool.lock()
        if name == "b":
            spool.unlock()
    text = client.get("/").text
    assert "Nodes that share the spool" in text
    assert text.index("does not run") > text.index("runs")


@pytest.mark.usefixtures("job")
def test_the_study_says_which_node_received_it(client: HttpClient) -> None:
    assert "Received by node" in client.get("/studies/1").text
    assert client.get("/api/v1/studies/1").json()["node"] == "node"


def test_a_model_has_its_card_and_figures(client: HttpClient) -> None:
    assert 'href="/models/demo"' in client.get("/models").text
    text = client.get("/models/demo").text
    for part in (
        "Figures by image",
        "sensitivity",
        "0.945",
        "Intended use",
        "<strong>all</strong>",
    ):
        assert part in text
    assert client.get("/models/nothing").status_code == 404


def test_markdown_is_escaped() -> None:
    card = "# A <b>\n\n> **no** `x<y`\n\n- <i>\n\n| a | b |\n|---|---|\n| 1 | <u> |\n\nplain"
    html = str(html_of(card, 2))
    assert html.startswith("<h2>A &lt;b&gt;</h2>")
    assert "<strong>no</strong> <code>x&lt;y</code>" in html
    assert "<td>&lt;u&gt;</td>" in html
    assert "<li>&lt;i&gt;</li>" in html
    assert not {"<b>", "<i>", "<u>"} & set(html.split())


def test_durations_are_read_by_people() -> None:
    shown = [duration(timedelta(seconds=one)) for one in (1, 59, 60, 7200, 90000, -5)]
    assert shown == ["1 second", "59 seconds", "1 minute", "2 hours", "1 day", "0 seconds"]
