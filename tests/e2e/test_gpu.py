"""A node that is to compute on GPUs, and has none: studies are answered all the same."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.archive import archive, to_archive
from tests.node import node
from tests.samples import new_study

pytestmark = pytest.mark.e2e

STUDIES = 3


def test_studies_are_answered_by_the_processor_with_an_alarm(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    port, node_port = free_port(), free_port()
    files = [path for number in range(STUDIES) for path in new_study(tmp_path / str(number))]
    extra = 'device = ["cuda:0", "cuda:1"]\n' + to_archive(port)
    with (
        archive(port, node_port) as peer,
        node(tmp_path / "node", node_port, extra=extra) as one,
    ):
        one.start()
        one.wait_for(lambda: len(one.children("pacs_ai.node.worker")) == 2)
        for file in files:
            assert one.send(file) == [0]
        one.wait_for(lambda: len(peer.stored) >= 2 * STUDIES)
        assert one.states("job") == ["SUCCEEDED"] * STUDIES
        assert "another runtime takes the place" in one.log
        assert "DEVICE_UNAVAILABLE" in one.log
        done = one.command("doctor", "--json")
        assert one.stop() == 0
    assert done.returncode == 1
    wrong = {row["check"]: row["text"] for row in json.loads(done.stdout) if not row["ok"]}
    assert "DEVICE_UNAVAILABLE" in wrong["runtimes"]
    assert "takes the place of onnxruntime on cuda:" in wrong["runtimes"]
