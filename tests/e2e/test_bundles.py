"""A model's folder is replaced under a running node, as an administrator may do it."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from pacs_ai.model.bundle import MANIFEST, SHIPPED, load_bundle
from pacs_ai.net.scu.client import PeerAddress, store
from tests.node import Node, node, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(240)]

EXTRA = """
[models.demo]
bundle = "{bundle}"
[[rules]]
name = "all"
model = "demo"
"""


def workers(one: Node) -> list[int]:
    """The node's children that analyse."""
    assert one.process is not None
    tasks = Path(f"/proc/{one.process.pid}/task").glob("*/children")
    children = [int(pid) for file in tasks for pid in file.read_text().split()]
    return [pid for pid in children if b"pacs_ai.node.worker" in _command(pid)]


def _command(pid: int) -> bytes:
    file = Path(f"/proc/{pid}/cmdline")
    return file.read_bytes() if file.exists() else b""


def test_a_replaced_bundle_runs_after_the_next_start_and_under_its_own_name(
    tmp_path: Path, free_port: Callable[[], int]
):
    bundle = tmp_path / "bundle"
    shutil.copytree(SHIPPED / "demo", bundle)
    before = load_bundle(bundle).identity
    extra = EXTRA.format(bundle=bundle)
    with node(tmp_path / "node", free_port(), extra=extra) as one:
        one.start()
        wait_for(lambda: workers(one), 30, lambda: one.log)
        manifest = bundle / MANIFEST
        text = manifest.read_text("utf-8")
        manifest.write_text(text.replace(f'version = "{before.version}"', 'version = "999"'))
        for pid in workers(one):
            os.kill(pid, signal.SIGKILL)
        path = get_testdata_file("CT_small.dcm")
        assert isinstance(path, str)
        store(PeerAddress("AI_NODE", "127.0.0.1", one.port), "MODALITY", [Path(path)])
        wait_for(
            lambda: "BUNDLE_CHANGED" in str(one.query("SELECT error_code FROM job")),
            90,
            lambda: one.log,
        )
        assert one.states("job") == ["WAITING"]
        assert one.query("SELECT model_version FROM job") == [(before.version,)]
        assert "bundle replaced while the node runs" in one.log
        assert one.stop() == 0
        one.start()
        wait_for(lambda: one.states("job") == ["SUCCEEDED"], 90, lambda: one.log)
        digest = load_bundle(bundle).identity.manifest_sha256
        assert one.query("SELECT model_version, manifest_sha256 FROM job") == [("999", digest)]
