"""What the root of the spool holds beside the nodes' folders: its secret, and whose spool it is."""

import secrets
from pathlib import Path

from pacs_ai.files import PRIVATE, atomic_write, translated
from pacs_ai.logs import keyed_hash

KEY_FILE = "site.key"
"""Name of the file with the installation's secret, in the root of the spool."""

MARK_FILE = "database.id"
"""Name of the file that says which database the spool belongs to."""

_MAX_BYTES = 4096


def key_in(root: Path) -> bytes:
    """Return the secret of a spool; empty where there is none."""
    return _content(root / KEY_FILE)


def mark_in(root: Path) -> str:
    """Return the id of the database that a spool belongs to; "" where it does not say so."""
    return _content(root / MARK_FILE).decode("ascii", "replace").strip()


def made_key(root: Path) -> bytes:
    """Return the secret of a spool, made at first use."""
    path = root / KEY_FILE
    with translated(path):
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            # of two nodes that start at the same time, one makes the key of both
            atomic_write(path, secrets.token_bytes(32), replace=False, mode=PRIVATE)
        return path.read_bytes()


def mark(root: Path, database_id: str) -> None:
    """Note in a spool which database it belongs to."""
    atomic_write(root / MARK_FILE, database_id + "\n", mode=PRIVATE)


def fingerprint(key: bytes) -> str:
    """Return what a database keeps of a secret: enough to know it again, not to use it."""
    return keyed_hash(key, "fingerprint of the site key")


def _content(path: Path) -> bytes:
    with translated(path):
        try:
            with path.open("rb") as file:
                return file.read(_MAX_BYTES)
        except FileNotFoundError:
            return b""
