"""That another runtime computes than the configuration says is told once a day."""

from dataclasses import replace

from pacs_ai.flow.replaced_runtimes import note_replaced
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from pacs_ai.model.providers import provider_of
from tests.unit.flow.notify.office import OnWhat


def test_who_is_told_of_it_is_told_once_a_day(
    office: OnWhat,
) -> None:
    gpu = provider_of("onnxruntime", "cuda:0")  # this machine has none
    instead = Classifier.load(load_bundle("demo"), provider=gpu)
    node = office("runtime", every_seconds=1)
    node.context.spool.lock()
    assert node.told() == []
    for name in ("worker-1", "worker-2"):
        process = replace(node.context, owner=f"node/boot/{name}")
        note_replaced(process, {"demo": instead})
    (message,) = node.told()
    (item,) = message["items"]
    assert (item["node"], item["model"], item["error"]) == ("node", "demo", "DEVICE_UNAVAILABLE")
    node.later(10)
    assert len(node.told()) == 1
    node.later(86_400)
    assert len(node.told()) == 2
