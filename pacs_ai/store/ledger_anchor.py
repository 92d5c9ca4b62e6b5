"""Where the ledger begins and ends, as the spool knows it: a file beside the database."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pacs_ai.errors import StorageError
from pacs_ai.files import PRIVATE, atomic_write, translated

ANCHOR_FILE = "audit.head"
"""In the root of the spool."""

START = "0" * 64
"""What stands for the hash before the first line."""

_LOCK_FILE = ".audit.lock"
_LOCK_SECONDS, _LOCK_PAUSE = 30, 0.01


@dataclass(frozen=True, slots=True)
class Anchor:
    """The chain as the spool knows it.

    ``before`` is the hash that the first line is chained to; it is `START` unless lines were
    removed at the end of their keep time. ``removed`` is the highest id of an event whose line was
    removed. ``last`` is the number of the last line that is known, with its ``hash``. ``breaks``
    say when a node went on behind another line than this one: what was lost then stays lost.
    """

    first: int = 1
    before: str = START
    last: int = 0
    hash: str = START
    removed: int = 0
    breaks: tuple[str, ...] = ()


def read_anchor(root: Path) -> Anchor | None:
    """Read where the chain begins and ends; None if the spool does not say.

    Raises
    ------
    StorageError
        If the file is not one that was written here.
    """
    path = root / ANCHOR_FILE
    with translated(path, "cannot be read"):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
    try:
        values = json.loads(content)
        return Anchor(**{**values, "breaks": tuple(values["breaks"])})
    except (ValueError, TypeError, KeyError) as error:
        raise StorageError(f"{path} is damaged: nobody can tell where the ledger ends") from error


def write_anchor(root: Path, anchor: Anchor) -> None:
    """Note where the chain begins and ends."""
    atomic_write(root / ANCHOR_FILE, json.dumps(asdict(anchor)) + "\n", mode=PRIVATE)


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Let no other process change the chain and its anchor until both fit again.

    The anchor is written after the commit: another process that reads it in between, and writes it
    later, would put an older beginning or end there.

    Raises
    ------
    StorageError
        If another process does not finish.
    """
    path, started = root / _LOCK_FILE, time.monotonic()
    with translated(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() - started > _LOCK_SECONDS:
                    raise StorageError(
                        f"{path}: another process has held the ledger for {_LOCK_SECONDS} s: "
                        "end it if it hangs"
                    ) from None
            time.sleep(_LOCK_PAUSE)
        yield
    finally:
        os.close(descriptor)
