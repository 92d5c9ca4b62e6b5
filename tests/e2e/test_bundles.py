"""A model's folder is replaced under a running node, as an administrator may do it."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from pacs_ai.model.bundle import MANIFEST, SHIPPED, load_bundle
from tests.node import node
from tests.samples import sample

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

EXTRA = """
[models.demo]
bundle = "{bundle}"
[[rules]]
name = "all"
model = "demo"
"""


def test_a_replaced_bundle_runs_after_the_next_start_and_under_its_own_name(
    tmp_path: Path, free_port: Callable[[], int]
):
    bundle = tmp_path / "bundle"
    shutil.copytree(SHIPPED / "demo", bundle)
    before = load_bundle(bundle).identity
    extra = EXTRA.format(bundle=bundle)
    with node(tmp_path / "node", free_port(), extra=extra) as one:
        one.start()
        one.wait_for(lambda: one.children("pacs_ai.node.worker"))
        manifest = bundle / MANIFEST
        text = manifest.read_text("utf-8")
        manifest.write_text(text.replace(f'version = "{before.version}"', 'version = "999"'))
        for pid in one.children("pacs_ai.node.worker"):
            os.kill(pid, signal.SIGKILL)
        assert one.send(sample()) == [0]
        one.wait_for(
            lambda: "BUNDLE_CHANGED" in str(one.query("SELECT error_code FROM job")),
        )
        assert one.states("job") == ["WAITING"]
        assert one.query("SELECT model_version FROM job") == [(before.version,)]
        assert "bundle replaced while the node runs" in one.log
        assert one.stop() == 0
        one.start()
        one.wait_for(lambda: one.states("job") == ["SUCCEEDED"])
        digest = load_bundle(bundle).identity.manifest_sha256
        assert one.query("SELECT model_version, manifest_sha256 FROM job") == [("999", digest)]
