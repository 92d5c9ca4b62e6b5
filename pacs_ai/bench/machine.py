"""What the figures were measured on: the machine, the versions, and the memory of processes."""

import contextlib
import os
import platform
from importlib import metadata
from pathlib import Path

from pacs_ai import __version__

_PROC = Path("/proc")
_NAMES = {
    "pacs_ai.node.worker": "worker",
    "pacs_ai.node.receiver": "receiver",
    "decoding_process": "decoding process",
    "pacs_ai": "daemon",
}
"""What stands in the command line of a process, the longest first, and what it is called."""


def machine() -> dict[str, str]:
    """Describe machine and software."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{memory:.0f} GiB",
        "system": platform.platform(terse=True),
        "pacs-ai": __version__,
        "python": platform.python_version(),
        "onnxruntime": _version("onnxruntime"),
    }


def peak_memory(pid: int) -> dict[str, float]:
    """Return the largest resident set, in MB, of a process and of all below it, by what they do.

    Of several processes with one name the largest counts. Empty where the system has no ``/proc``.
    """
    peaks: dict[str, float] = {}
    for one in _family(pid):
        with contextlib.suppress(OSError, ValueError, IndexError):
            status = (_PROC / str(one) / "status").read_text("utf-8")
            peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
            command = (_PROC / str(one) / "cmdline").read_text("utf-8", "replace")
            name = next((known for part, known in _NAMES.items() if part in command), "other")
            peaks[name] = max(peak, peaks.get(name, 0.0))
    return peaks


def _family(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            for task in (_PROC / str(one) / "task").iterdir():
                found += map(int, (task / "children").read_text("ascii").split())
    return found


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in (_PROC / "cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
