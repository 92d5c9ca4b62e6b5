"""How much freed memory a process keeps for itself."""

import ctypes
import sys
from contextlib import suppress

_M_ARENA_MAX = -8
"""Of ``malloc.h``: the most arenas of malloc (mallopt(3))."""

_ARENAS = 2


def limit_arenas() -> None:
    """Let all threads of this process share two arenas of malloc.

    The C library of GNU gives each thread an arena of its own, up to eight for each core, and
    keeps what is freed in it. Threads that read, decode and predict images by turns then hold
    several times what a study needs, and the more the longer it is. Other C libraries have no such
    option, and nothing changes there.
    """
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)
