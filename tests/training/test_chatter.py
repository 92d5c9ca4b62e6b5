"""TensorFlow's words about itself are hidden; errors, also last words, are not."""

import subprocess
import sys
from pathlib import Path

import pytest

from training.cli.chatter import is_chatter

HIDDEN = [
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    b"I0000 00:00:1795939337.365557    6312 port.cc:153] oneDNN custom operations are on.",
    b"To enable the following instructions: AVX2 FMA, rebuild TensorFlow with the flags.",
    b"E0000 00:00:1795939347.1    6312 node_def_util.cc:682] NodeDef mentions attribute "
    b"use_unbounded_threadpool which is not in the op definition",
    b"2025-01-01 10:00:00.123456: I tensorflow/core/util/port.cc:153] oneDNN",
]
SHOWN = [
    b"E0000 00:00:1795939347.1    6312 executor.cc:682] OOM when allocating tensor",
    b"F0000 00:00:1795939347.1    6312 tensor.cc:1] Check failed: 1 == 2",
    b"Fatal Python error: Segmentation fault",
    b"WARNING:tensorflow:Gradients do not exist for variables",
    b"a line of somebody else",
]
WRITES = """
import logging, os, sys
from training.cli.chatter import hide_chatter
hide_chatter()
for line in sys.argv[1:]:
    os.write(2, line.encode() + b"\\n")
logging.getLogger("tensorflow").warning("5 out of the last 11 calls to <f> triggered retracing")
print("the display", file=sys.stderr)
assert sys.stderr.fileno() != 2
LAST
"""


@pytest.mark.parametrize("line", HIDDEN)
def test_chatter_is_hidden(line: bytes) -> None:
    assert is_chatter(line)


@pytest.mark.parametrize("line", SHOWN)
def test_what_may_matter_is_shown(line: bytes) -> None:
    assert not is_chatter(line)


@pytest.mark.parametrize(
    ("last", "ends"),
    [("", 0), ("sys.exit(3)", 3), ("os.write(2, b'last words'); os.abort()", -6)],
)
def test_all_but_chatter_arrives_however_the_process_ends(root: Path, last: str, ends: int) -> None:
    script = WRITES.replace("LAST", last)
    lines = [line.decode() for line in (*HIDDEN, *SHOWN)]
    done = subprocess.run(
        [sys.executable, "-c", script, *lines], cwd=root, capture_output=True, check=False
    )
    assert done.returncode == ends
    said = done.stderr.splitlines()
    assert set(SHOWN) | {b"the display"} <= set(said)
    assert not set(HIDDEN) & set(said)
    assert b"retracing" not in done.stderr
    assert (b"last words" in said) == ("last words" in last)
