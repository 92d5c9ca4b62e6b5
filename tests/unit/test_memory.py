"""Memory that a process keeps for its threads."""

import subprocess
import sys
from pathlib import Path

import pytest

_ARENAS = """
import ctypes, sys, threading
from pacs_ai.memory import limit_malloc
if sys.argv[1] == "limited":
    limit_malloc()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
together = threading.Barrier(8)
def hold():
    libc.malloc(ctypes.c_size_t(1000))
    together.wait()
threads = [threading.Thread(target=hold) for _ in range(8)]
for one in threads: one.start()
for one in threads: one.join()
file = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


def arenas(which: str, told: Path) -> int:
    command = [sys.executable, "-c", _ARENAS, which, str(told)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return told.read_text().count("<heap nr=")


@pytest.mark.skipif(sys.platform != "linux", reason="malloc of GNU is asked")
def test_threads_share_two_arenas(tmp_path: Path) -> None:
    assert arenas("free", tmp_path / "free") > 2
    assert arenas("limited", tmp_path / "limited") == 2
