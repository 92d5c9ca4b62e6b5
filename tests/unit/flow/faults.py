"""What may happen to a stored file, done to a real one."""

import os
from collections.abc import Callable
from pathlib import Path

Fault = Callable[[Path], None]


def gone(file: Path) -> None:
    file.unlink()


def cut_off(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def emptied(file: Path) -> None:
    os.truncate(file, 0)


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def a_loop(file: Path) -> None:
    file.unlink()
    file.symlink_to(file)


def bad_sectors(file: Path) -> None:
    """What opens and then answers every read with EIO."""
    file.unlink()
    file.symlink_to("/proc/self/mem")


def flipped(file: Path, position: int = -3000) -> None:
    """One bit is another."""
    content = bytearray(file.read_bytes())
    content[position] ^= 0x10
    file.write_bytes(content)


def restore(file: Path, content: bytes) -> None:
    if file.is_dir() and not file.is_symlink():
        file.rmdir()
    file.unlink(missing_ok=True)
    file.write_bytes(content)


FAULTS = [gone, cut_off, emptied, a_folder, a_loop, bad_sectors]
UNREADABLE = [gone, a_folder, a_loop, bad_sectors]
