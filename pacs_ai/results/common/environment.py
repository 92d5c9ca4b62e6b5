"""What of this machine and its software decides the bits of a result, besides the network.

Decoders and numeric libraries choose their code by the instructions of the processor, and may round
otherwise in another version. So a UID that does not depend on both could stand for different bytes:
after an upgrade, or on the second machine of a node.
"""

import functools
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pacs_ai import __version__

LIBRARIES = (
    "highdicom",
    "imagecodecs",
    "numpy",
    "opencv-python-headless",
    "pillow",
    "pydicom",
    "pyjpegls",
    "pylibjpeg-openjpeg",
    "pylibjpeg-rle",
    "reportlab",
)
"""Distributions that decode, compute, draw or encode. What is not installed counts as that."""

_CPU_INFO = Path("/proc/cpuinfo")
_MODEL = ("vendor_id", "cpu family", "model", "cache size", "CPU implementer", "CPU part")
_INSTRUCTIONS = ("flags", "Features")
_VECTOR = re.compile(r"s?sse\d|avx|amx|fma|f16c|asimd|neon|fphp|sve|sme(?!p)|i8mm|bf16|dotprod")


@functools.cache
def environment() -> str:
    """Return versions of the software, then the processor: one line, the same for a process."""
    versions = [f"{name} {_version(name)}" for name in LIBRARIES]
    return "; ".join([f"pacs-ai {__version__}", *versions, processor()])


def processor(cpu_info: Path = _CPU_INFO) -> str:
    """Name the processor: architecture, model, cache size and vector instructions.

    Parameters
    ----------
    cpu_info
        The kernel's description. Where there is none (macOS), the architecture alone is named.

    Notes
    -----
    Numeric libraries block their loops by the size of the cache, and with it the order of sums.
    """
    try:
        text = cpu_info.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        text = ""
    pairs = [line.partition(":") for line in text.splitlines()]
    facts = {name.strip(): value.strip() for name, _, value in pairs}
    model = [facts[name] for name in _MODEL if name in facts]
    vector = {
        flag
        for name in _INSTRUCTIONS
        for flag in facts.get(name, "").split()
        if _VECTOR.match(flag)
    }
    return " ".join([platform.machine(), *model, *sorted(vector)])


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
