"""What a process keeps of freed memory, and what it leaves of its memory when it crashes."""

import ctypes
import resource
import sys
from contextlib import suppress
from pathlib import Path

_M_ARENA_MAX, _M_MMAP_THRESHOLD = -8, -3
"""Of ``malloc.h``: the most arenas of malloc; the size from which on a block is a mapping of its
own (mallopt(3))."""

_ARENAS = 2
_OWN_MAPPING = 4 * 1024 * 1024


def limit_malloc() -> None:
    """Let all threads of this process share two arenas of malloc, and give large blocks back.

    The C library of GNU gives each thread an arena of its own, up to eight for each core, and
    keeps what is freed in it. Threads that read, decode and predict images by turns then hold
    several times what a study needs, and the more the longer it is. It also begins to keep large
    blocks once some have been freed: a large radiograph then takes tens of megabytes more than its
    arrays. Other C libraries have no such options, and nothing changes there.
    """
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, _ARENAS)
        libc.mallopt(_M_MMAP_THRESHOLD, _OWN_MAPPING)


def write_no_core_files() -> None:
    """Let this process, and those that it starts, leave no memory behind when they crash.

    A core file holds the images and headers that were being worked on. The limit of zero is for
    the kernel; where it hands the memory to a program (``core_pattern`` with a pipe), only the
    filter counts: it says that no part of the memory belongs into a core file (core(5)). Both are
    inherited.
    """
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))
    with suppress(OSError):
        Path("/proc/self/coredump_filter").write_text("0", encoding="ascii")
