"""Back up database and spool while nodes work, and restore them.

The order makes the copy consistent. Files that do not change are copied first, which takes long.
Then the end of the ledger and other small files, then the database in one snapshot, then the files
that came meanwhile. So everything that the snapshot names is there, or the snapshot is taken again:
a file may be removed between two steps, and then its row goes, too.

::

    backup/
      backup.json          which copy of the database counts, and what it holds
      database-<id>.db     or .dump (PostgreSQL)
      spool/               as `pacs_ai.store.spool` has it
"""

import json
import os
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from pacs_ai import __version__
from pacs_ai.errors import ConfigError, StorageError
from pacs_ai.files import PRIVATE, atomic_write, translated
from pacs_ai.flow.context import FlowContext
from pacs_ai.store import snapshot, version
from pacs_ai.store.ledger_anchor import read_anchor
from pacs_ai.store.operator import ACTOR
from pacs_ai.store.session import Database
from pacs_ai.store.sitekey import KEY_FILE
from pacs_ai.store.spool_copy import copy_files, lasting_files, remove_others, state_files
from pacs_ai.store.transition import record

MANIFEST, SPOOL = "backup.json", "spool"
_TRIES = 10
"""How often a snapshot is taken until all that it names is there."""


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds: ``files`` of the spool that rows name, ``database`` is the copy."""

    made_at: str
    program: str
    schema: str
    database: str
    files: int
    bytes: int


def back_up(context: FlowContext, folder: Path) -> Backup:
    """Write a backup, or bring one up to date: then only new files are copied.

    Until it is complete, the backup that was there before counts.

    Parameters
    ----------
    folder
        On another disk than the node's. Made if it is missing.

    Raises
    ------
    ConfigError
        If the folder has something else in it.
    StorageError
        If a file cannot be read or written.
    """
    _check_target(folder, context.spool.root)
    spool = folder / SPOOL
    with translated(folder, "cannot be made"):
        spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    with context.write() as transaction:
        record(transaction, "database", "", "", "BACKED_UP")
    copy_files(context.spool.root, spool, lasting_files(context.spool.root))
    name = f"database-{uuid.uuid4().hex}{snapshot.suffix(context.database)}"
    named = _consistent(context, folder / name, spool)
    made = Backup(
        made_at=context.now().isoformat(timespec="seconds"),
        program=__version__,
        schema=version.SCHEMA_STEP,
        database=name,
        files=len(named),
        bytes=sum((spool / one).stat().st_size for one in named),
    )
    os.sync()
    atomic_write(folder / MANIFEST, json.dumps(asdict(made), indent=1) + "\n", mode=PRIVATE)
    remove_others(spool, named, context.spool.root)
    for old in folder.glob("database-*"):
        if old.name != name:
            old.unlink()
    return made


def _consistent(context: FlowContext, copy: Path, spool: Path) -> set[str]:
    """Take snapshots until one names nothing that is not there; return what it names."""
    root = context.spool.root
    before: set[str] = set()
    for _ in range(_TRIES):
        copy_files(root, spool, state_files(root), again=True)
        copy.unlink(missing_ok=True)
        named = snapshot.write_snapshot(context.database, copy)
        copy_files(root, spool, lasting_files(root))
        absent = {one for one in named if not (spool / one).is_file()}
        same_begin = _first_line(root) == _first_line(spool)
        if same_begin and (not absent or absent == before):
            return named - absent
        before = absent
    raise StorageError("files of the spool vanish faster than they are copied: try again later")


def _first_line(root: Path) -> int | None:
    """Return where the ledger begins: its oldest lines are removed at the end of their time."""
    anchor = read_anchor(root)
    return None if anchor is None else anchor.first


def _check_target(folder: Path, root: Path) -> None:
    if folder.resolve().is_relative_to(root.resolve()):
        raise ConfigError(f"{folder} lies in the spool: a backup belongs on another disk")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        unfinished = {one.name.partition("-")[0] for one in folder.iterdir()} <= {SPOOL, "database"}
        if not unfinished:
            raise ConfigError(f"{folder} is neither empty nor a backup")


def read_backup(folder: Path) -> Backup:
    """Read what a backup holds.

    Raises
    ------
    ConfigError
        If the folder is no complete backup.
    """
    try:
        content = (folder / MANIFEST).read_bytes()
        found = TypeAdapter(Backup).validate_json(content)
    except (OSError, ValidationError):
        raise ConfigError(f"{folder} is no complete backup: it has no {MANIFEST}") from None
    if not (folder / found.database).is_file():
        raise ConfigError(f"{folder} is no complete backup: {found.database} is missing")
    return found


def put_back(database: Database, root: Path, folder: Path, upgrade: Callable[[], None]) -> Backup:
    """Restore a backup into an empty database and a spool that was never used.

    The files come first, which takes long: a restore that was interrupted there can be started
    again.

    Parameters
    ----------
    root
        The spool.
    upgrade
        Brings the schema of an older version up to this one's.

    Raises
    ------
    ConfigError
        If database or spool are in use, or the backup is of a newer version.
    StorageError
        If a file cannot be read or written.
    """
    found = read_backup(folder)
    if found.schema > version.SCHEMA_STEP:
        raise ConfigError(version.remedy(found.schema))
    if (root / KEY_FILE).exists():
        raise ConfigError(f"the spool {root} is in use: move it away, or name another one")
    if version.current(database) is not None:
        raise ConfigError("the database is in use: move it away, or name another one")
    with translated(root, "cannot be made"):
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
    copy_files(folder / SPOOL, root, lasting_files(folder / SPOOL))
    snapshot.put_back(folder / found.database, database)
    upgrade()
    copy_files(folder / SPOOL, root, state_files(folder / SPOOL), again=True)
    os.sync()
    return found


def note_restored(context: FlowContext, backup: Backup) -> None:
    """Enter in the audit trail that rows and files are those of a backup."""
    with context.write(ACTOR) as transaction:
        record(transaction, "database", "", "", "RESTORED", note=f"backup of {backup.made_at}")
