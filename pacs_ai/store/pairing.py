"""A database and a spool belong together: what one says is about the files of the other.

The database knows the fingerprint of the spool's secret, the spool the id of its database. With
another secret no study would be found by a number, and every patient would be another; with
another database all files would be orphans, and its rows have no files.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from pacs_ai.errors import ConfigError
from pacs_ai.store import sitekey
from pacs_ai.store.schema import Instance, Meta, Study
from pacs_ai.store.session import Database, Transaction

DATABASE_ID = "database_id"
KEY_FINGERPRINT = "site_key_fingerprint"

_FILES = 100

REMEDY = (
    "mount the right spool or correct storage.spool and storage.database; "
    "if it is lost for good: pacs-ai db rekey"
)


@dataclass(frozen=True, slots=True)
class Known:
    """What a database says of its spool; empty before it had one."""

    database_id: str = ""
    fingerprint: str = ""
    used: bool = False
    """There are studies in it."""
    files: tuple[str, ...] = ()
    """Some of its newest files: a database of a version that noted no spool is known by them."""


def known_by(session: Session) -> Known:
    """Read what a database says of its spool."""
    rows = {row.key: row.value for row in session.scalars(sa.select(Meta))}
    used = session.scalar(sa.select(Study.id).limit(1)) is not None
    newest = sa.select(Instance.path).order_by(Instance.id.desc()).limit(_FILES)
    files = tuple(session.scalars(newest))
    return Known(rows.get(DATABASE_ID, ""), rows.get(KEY_FINGERPRINT, ""), used, files)


def mismatch(known: Known, root: Path) -> str:
    """Say why a spool is not the one of a database; "" if it is, or if both are new.

    Raises
    ------
    StorageError
        If the spool cannot be read.
    """
    key, mark = sitekey.key_in(root), sitekey.mark_in(root)
    if not key and (known.fingerprint or known.used):
        return f"spool {root} has no {sitekey.KEY_FILE}, and the database has been used with one"
    if known.fingerprint and sitekey.fingerprint(key) != known.fingerprint:
        return f"spool {root} has another {sitekey.KEY_FILE} than the database was used with"
    if mark and mark != known.database_id and not _restored(known, root):
        return f"spool {root} belongs to another database"
    return ""


def _restored(known: Known, root: Path) -> bool:
    """Tell whether a database is the spool's own, as it was before an upgrade: it has no id yet."""
    return not known.database_id and any((root / path).is_file() for path in known.files)


def pair(database: Database, root: Path) -> bytes:
    """Make sure that a database and a spool belong together; new ones do from now on.

    Returns
    -------
    bytes
        The spool's secret.

    Raises
    ------
    ConfigError
        If one of them is another's, or the secret is gone.
    StorageError
        If the spool cannot be read.
    """
    with database.read() as session:
        known = known_by(session)
    problem = mismatch(known, root)
    if problem:
        raise ConfigError(f"{problem}: {REMEDY}")
    key = sitekey.made_key(root)
    if not known.fingerprint:
        facts = {
            DATABASE_ID: sitekey.mark_in(root) or uuid.uuid4().hex,
            KEY_FINGERPRINT: sitekey.fingerprint(key),
        }
        database.write_grouped(lambda connection: _keep(connection, facts))
        with database.read() as session:
            known = known_by(session)
        problem = mismatch(known, root)
        if problem:  # another node was first, with another spool
            raise ConfigError(f"{problem}: {REMEDY}")
    if not sitekey.mark_in(root):
        sitekey.mark(root, known.database_id)
    return key


def pair_anew(transaction: Transaction, root: Path) -> bytes:
    """Let a database and a spool belong together whatever they said before.

    Returns
    -------
    bytes
        The spool's secret; a new one where there is none.
    """
    key = sitekey.made_key(root)
    _keep(transaction.connection(), {DATABASE_ID: uuid.uuid4().hex})
    transaction.merge(Meta(key=KEY_FINGERPRINT, value=sitekey.fingerprint(key)))
    transaction.flush()
    sitekey.mark(root, known_by(transaction).database_id)
    return key


def _keep(connection: sa.Connection, facts: Mapping[str, str]) -> None:
    """Write facts that nobody has written yet; of two nodes starting at once, one wins."""
    into: Any = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
    insert = into[connection.dialect.name](Meta).on_conflict_do_nothing()
    connection.execute(insert, [{"key": key, "value": value} for key, value in facts.items()])
