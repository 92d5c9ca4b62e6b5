"""From nothing to a running node: `init`, `listen`, and a study that DCMTK sends over TLS."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.node import Node
from tests.samples import sample

pytestmark = pytest.mark.e2e


def test_a_newcomer_gets_a_node_that_takes_tls(
    tmp_path: Path, tool: Callable[[str], Path], free_port: Callable[[], int]
) -> None:
    port = free_port()
    environment = {"PACS_AI_TLS_PORT": str(port), "PACS_AI_STORAGE_MIN_FREE_GB": "0"}
    made = subprocess.run(
        [sys.executable, "-m", "pacs_ai", "init", "--yes", "--tls", "--aet", "AI"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout.endswith("pacs-ai config check\n  pacs-ai listen\n")
    one = Node(tmp_path, port, environment, new_children=True)
    one.start()
    try:
        trust = ["+tls", "tls/client.key", "tls/client.crt", "+cf", "tls/ca.crt"]
        # the profiles of DICOM: BCP 195 without downgrading, and BCP 195
        for profile in ("+py", "+px"):
            sent = send(tool, tmp_path, *trust, profile, "-aec", "AI", "localhost", str(port))
            assert sent.returncode == 0, sent.stderr
        stranger = send(tool, tmp_path, "+tla", "-ic", "-aec", "AI", "localhost", str(port))
        assert stranger.returncode != 0
        one.wait_for(lambda: one.states("job") == ["SUCCEEDED"])
        assert leaves_core_files(one) == []
    finally:
        assert one.stop() == 0


def leaves_core_files(one: Node) -> list[int]:
    """The processes of a node whose memory would be kept if they crashed."""
    assert one.process is not None
    pids = [one.process.pid, *one.children("")]
    assert len(pids) >= 2, "a worker, too"
    limit = re.compile(r"^Max core file size +0 ", re.MULTILINE)
    return [
        pid
        for pid in pids
        if not limit.search(Path(f"/proc/{pid}/limits").read_text())
        or int(Path(f"/proc/{pid}/coredump_filter").read_text(), 16)
    ]


def send(
    tool: Callable[[str], Path], folder: Path, *words: str
) -> subprocess.CompletedProcess[str]:
    program = tool("storescu")
    return subprocess.run(
        [program, *words, sample()], cwd=folder, capture_output=True, text=True, check=False
    )
