"""A process of the node ends at once, with the right exit code and with all it has written."""

import subprocess
import sys

import pytest

RUN = """
import atexit
from pacs_ai.node.process import run_to_end

atexit.register(print, "taken apart")

def main():
    print("written", end="")
    {end}

run_to_end(main)
"""


@pytest.mark.parametrize(
    ("end", "code", "error"),
    [
        ("return 0", 0, ""),
        ("return 3", 3, ""),
        ("raise ValueError('its reason')", 1, "ValueError: its reason\n"),
    ],
)
def test_it_ends_with_the_outcome_of_its_function(end: str, code: int, error: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(end=end)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (code, "written")
    assert done.stderr.endswith(error)
    assert bool(done.stderr) == bool(error)
