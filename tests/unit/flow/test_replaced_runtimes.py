"""A model that another runtime computes is an alarm: in the metrics, on the page, by doctor."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pacs_ai.cli import doctor
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.replaced_runtimes import forget_replaced, note_replaced, replaced_runtimes
from pacs_ai.metrics.exposition import Metrics
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from pacs_ai.model.providers import provider_of
from pacs_ai.store.spool import Spool
from pacs_ai.web import overview
from tests.unit.flow.analysed import demo
from tests.unit.metrics.reading import values


@pytest.fixture(scope="module")
def instead() -> Classifier:
    """A model that was to be computed by a GPU, and this machine has none."""
    return Classifier.load(load_bundle("demo"), provider=provider_of("onnxruntime", "cuda:0"))


def process(context: FlowContext, name: str) -> FlowContext:
    return replace(context, owner=f"node/boot/{name}")


def found(context: FlowContext) -> list[tuple[str, str, str, str]]:
    return [(o.node, o.process, o.model, o.error) for o in replaced_runtimes(context.spool)]


def test_each_process_says_it_for_itself(context: FlowContext, instead: Classifier) -> None:
    context.spool.lock()
    assert found(context) == []
    note_replaced(process(context, "worker-1"), {"demo": demo()})
    assert found(context) == []
    for name in ("worker-1", "worker-2"):
        note_replaced(process(context, name), {"demo": instead, "other": demo()})
    one, two = (("node", f"worker-{n}", "demo", "DEVICE_UNAVAILABLE") for n in (1, 2))
    assert found(context) == [one, two]
    note_replaced(process(context, "worker-1"), {"demo": demo()})
    assert found(context) == [two]
    forget_replaced(context.spool, "worker-2")
    assert found(context) == []


def test_a_node_that_ends_says_nothing_and_one_that_starts_begins_anew(
    context: FlowContext, instead: Classifier
) -> None:
    context.spool.lock()
    note_replaced(context, {"demo": instead})
    other = Spool(context.spool.root, "other")
    other.open()
    assert len(found(replace(context, spool=other))) == 1  # nodes see each other
    context.spool.unlock()
    assert found(context) == []
    context.spool.lock()
    forget_replaced(context.spool)
    assert found(context) == []


def test_a_spool_that_is_out_of_reach_ends_no_worker(
    context: FlowContext, instead: Classifier
) -> None:
    (context.spool.home / "runtimes").write_text("in the way")
    note_replaced(context, {"demo": instead})


@pytest.fixture
def alarmed(context: FlowContext, instead: Classifier) -> Iterator[FlowContext]:
    context.spool.lock()
    note_replaced(context, {"demo": instead})
    yield context
    context.spool.unlock()


def test_metrics_count_the_processes(alarmed: FlowContext) -> None:
    key = ("pacs_ai_runtimes_replaced", "DEVICE_UNAVAILABLE", "demo", "node")
    assert values(Metrics(alarmed))[key] == 1
    forget_replaced(alarmed.spool)
    assert key not in values(Metrics(alarmed))


def test_the_status_names_it(alarmed: FlowContext) -> None:
    [one] = [one for one in overview.status(alarmed).wrong if one.what.startswith("runtime")]
    assert "demo in 1 of node" in one.what
    assert "ONNX Runtime" in one.text
    assert "takes the place of onnxruntime on cuda:0: " in one.text
    assert one.since is not None


def test_doctor_names_it(alarmed: FlowContext, monkeypatch: pytest.MonkeyPatch) -> None:
    class Opened:
        def __enter__(self) -> FlowContext:
            return alarmed

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(doctor, "opened_node", lambda _: Opened())
    [finding] = doctor._replaced(alarmed.config)
    assert finding.remedy
    assert "DEVICE_UNAVAILABLE" in finding.text
