"""What the root of the spool holds beside the nodes' folders: its secret, and whose spool it is."""

import contextlib
import os
import secrets
import uuid
from collections.abc import Iterator
from pathlib import Path

from pacs_ai.logs import keyed_hash
from pacs_ai.store.disk import sync_folder, translated, write

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
            # link() fails where the name exists: of two nodes starting at once, one wins
            with contextlib.suppress(FileExistsError), _draft(path, secrets.token_bytes(32)) as one:
                os.link(one, path)
        return path.read_bytes()


def mark(root: Path, database_id: str) -> None:
    """Note in a spool which database it belongs to."""
    path = root / MARK_FILE
    with translated(path), _draft(path, database_id.encode() + b"\n") as draft:
        draft.replace(path)
        sync_folder(str(root))


def fingerprint(key: bytes) -> str:
    """Return what a database keeps of a secret: enough to know it again, not to use it."""
    return keyed_hash(key, "fingerprint of the site key")


@contextlib.contextmanager
def _draft(path: Path, content: bytes) -> Iterator[Path]:
    """Write a file beside another, to be given its name."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    write(draft, content, durable=True)
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _content(path: Path) -> bytes:
    with translated(path):
        try:
            with path.open("rb") as file:
                return file.read(_MAX_BYTES)
        except FileNotFoundError:
            return b""
