"""A worker gives way to those who receive."""

import os
import subprocess
import sys

import pytest

from pacs_ai.node.priority import WORKER_NICENESS

PROGRAM = """
import os, subprocess, sys, threading
from pathlib import Path
from pacs_ai.node.priority import WORKER_NICENESS, give_way
began, over = threading.Event(), threading.Event()
earlier = threading.Thread(target=lambda: (began.set(), over.wait()))
earlier.start()
give_way(WORKER_NICENESS)
earlier_has = os.getpriority(os.PRIO_PROCESS, earlier.native_id)
over.set()
child = [sys.executable, "-c", "import os; print(os.nice(0))"]
group = Path("/proc/self/autogroup")
print(earlier_has, os.nice(0), subprocess.run(child, capture_output=True, text=True).stdout.strip())
print(group.read_text() if group.exists() else "")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="sessions have a niceness on Linux only")
@pytest.mark.parametrize("already", [0, 15])
def test_a_worker_and_what_it_starts_give_way(already: int) -> None:
    done = subprocess.run(
        ["/usr/bin/env", "nice", "-n", str(already), sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,  # as the daemon starts it
    )
    niceness, session, *_ = [*done.stdout.splitlines(), ""]
    expected = max(min(19, os.nice(0) + already), WORKER_NICENESS)
    assert niceness == " ".join([str(expected)] * 3)
    assert session == "" or session.endswith(f" nice {WORKER_NICENESS}")
