"""No traffic that nobody configured: every address that a process sends to, seen by the kernel.

``strace`` sees what native libraries do, too. A look-up of a name is a message to a name server,
and so an address that is not a peer's.
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.archive import archive, to_archive
from tests.node import PATIENCE, node, wait_for
from tests.samples import sample

pytestmark = pytest.mark.e2e

LINGER_SECONDS = 20
"""Libraries that report home were seen to do so about ten seconds after they were loaded."""

DESTINATION = re.compile(
    r"sin6?_port=htons\((\d+)\)(?:, sin6_flowinfo=\w+\(\w+\))?, "
    r'(?:sin_addr=inet_addr\("([^"]*)"\)|inet_pton\(AF_INET6, "([^"]*)")'
)

Tool = Callable[[str], Path]


@pytest.fixture
def watched(tool: Tool, tmp_path: Path) -> tuple[str, ...]:
    """What to put before a command; the tracer is its grandchild, so that signals reach it."""
    words = ["-D", "-f", "--seccomp-bpf", "-qq"]
    calls = ["-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o", str(tmp_path / "calls")]
    return (str(tool("strace")), *words, *calls)


@pytest.fixture
def source() -> Path:
    return sample()


def destinations(folder: Path) -> set[tuple[str, int]]:
    """Return all addresses that anything was sent to.

    The system sorts addresses by connecting a datagram socket to their port 0: nothing is sent.
    """
    found = DESTINATION.findall((folder / "calls").read_text())
    return {(four or six, int(port)) for port, four, six in found if port != "0"}


def test_the_watch_sees_a_look_up_by_native_code(
    watched: tuple[str, ...], tmp_path: Path, tool: Tool
) -> None:
    command = [*watched, tool("getent"), "ahosts", "pacs-ai.invalid"]
    subprocess.run(command, capture_output=True, check=False, timeout=PATIENCE)
    wait_for(lambda: 53 in {port for _, port in destinations(tmp_path)})


@pytest.mark.slow
def test_a_node_and_its_workers_talk_to_their_peers_only(
    watched: tuple[str, ...], tmp_path: Path, source: Path, free_port: Callable[[], int]
) -> None:
    port, node_port = free_port(), free_port()
    extra = to_archive(port)
    with (
        archive(port, node_port) as peer,
        node(tmp_path / "node", node_port, head="acceptors = 2", extra=extra) as one,
    ):
        one.before = watched
        one.start()
        assert one.send(source) == [0]
        one.wait_for(lambda: len(peer.stored) == 2)
        time.sleep(LINGER_SECONDS)
        assert one.stop() == 0
    assert destinations(tmp_path) == {("127.0.0.1", port)}


LINGERING = "import sys, time\n{work}\ntime.sleep({seconds})"
INFER = "from pacs_ai.cli import run\nassert run({words!r}) == 0"
TRAINING = """import training.bundle.compress
import onnxruntime
onnxruntime.InferenceSession({network!r})"""


def run(watched: tuple[str, ...], work: str, folder: Path) -> None:
    script = LINGERING.format(work=work, seconds=LINGER_SECONDS)
    command = [*watched, sys.executable, "-c", script]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, check=False, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr


def test_infer_talks_to_nobody(watched: tuple[str, ...], tmp_path: Path, source: Path) -> None:
    words = ["infer", str(source), "--out", "out"]
    run(watched, INFER.format(words=words), tmp_path)
    assert destinations(tmp_path) == set()


@pytest.mark.slow
@pytest.mark.train
def test_training_talks_to_nobody(watched: tuple[str, ...], tmp_path: Path, root: Path) -> None:
    (network,) = (root / "pacs_ai" / "bundles" / "demo").glob("*.onnx")
    shutil.copy(network, tmp_path / "network.onnx")
    run(watched, TRAINING.format(network="network.onnx"), tmp_path)
    assert destinations(tmp_path) == set()
