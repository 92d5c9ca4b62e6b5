"""``pacs-ai db``: the schema of the database, and that it belongs to its spool."""

import contextlib
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pacs_ai.cli.node import opened_node
from pacs_ai.cli.options import AsJson, ConfigPath, Verbose, group, read_config
from pacs_ai.cli.tables import print_json
from pacs_ai.config import describe
from pacs_ai.errors import ConfigError
from pacs_ai.flow import backup as copies
from pacs_ai.flow import rekey as step
from pacs_ai.node.wiring import open_database, unpaired_node
from pacs_ai.store import migrate, version
from pacs_ai.store.session import Database

_LOST = """\
What is lost for good:
- of studies without files: the search by accession number, and the comparison of their patient
  with that of images that come later;
- the names that logs called studies by until now;
- the UID of this installation as the observer in reports: new reports carry another."""

_MIB = 2**20

app = group("The database: its schema, and the spool it belongs to.")

BackupFolder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="Folder of the backup, on another disk.")
]


@app.command()
def upgrade(*, config: ConfigPath = None, verbose: Verbose = False) -> None:
    """Bring the schema up to this version's; makes it in an empty database."""
    settings = read_config(config, verbose=verbose)
    with contextlib.closing(Database(settings.storage.database)) as database:
        before = version.current(database)
        migrate.upgrade(database)
        after = version.current(database)
    print(f"schema {after}" + ("" if before == after else f", upgraded from {before or 'nothing'}"))


@app.command()
def check(*, as_json: AsJson = False, config: ConfigPath = None, verbose: Verbose = False) -> None:
    """Compare the schema with this version's; exit code 2 if they differ."""
    settings = read_config(config, verbose=verbose)
    with contextlib.closing(open_database(settings)) as database:
        current = version.current(database)
    wanted = version.SCHEMA_STEP
    where = describe(settings)["storage"]["database"]
    if as_json:
        print_json({"database": where, "schema": current, "wanted": wanted})
    else:
        print(f"{where}: schema {current or 'none'}, this version's is {wanted}")
    if current != wanted:
        raise ConfigError(version.remedy(current))


@app.command()
def rekey(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be lost.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """Make database and spool belong together again; what depends on the old key is lost.

    For a spool whose site.key is lost, and for a database or a spool that was restored or made
    again without the other. The node must be stopped. Keyed hashes are computed again from the
    files.
    """
    with unpaired_node(read_config(config, verbose=verbose)) as node:
        step.check_stopped(node)
        problem = step.problem(node)
        if not problem:
            count = step.Rekeyed(0, 0)
        else:
            count = step.preview(node) if dry_run else step.rekey(node, problem)
    if as_json:
        numbers = {"studies": count.studies, "renewed": count.renewed, "lost": count.lost}
        print_json({"problem": problem, "done": bool(problem) and not dry_run, **numbers})
    elif not problem:
        print("database and spool belong together: there is nothing to do")
    else:
        would = "would be " if dry_run else ""
        print(f"{problem}.")
        print(f"{count.renewed} of {count.studies} studies {would}rekeyed from their files.")
        print(f"{count.lost} of them have no file that can be read.")
        print(_LOST)


@app.command()
def backup(
    folder: BackupFolder,
    *,
    as_json: AsJson = False,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """Copy database and spool to a folder, while the node runs.

    The copy is consistent: every file that a row names is there. Into a folder that has a backup,
    only new files are copied; the old backup counts until the new one is complete.
    PostgreSQL needs pg_dump here. Configuration, models and certificates are not in it.
    """
    with opened_node(read_config(config, verbose=verbose)) as node:
        made = copies.back_up(node, folder)
    _show(folder, made, as_json=as_json)


@app.command()
def restore(
    folder: BackupFolder,
    *,
    as_json: AsJson = False,
    config: ConfigPath = None,
    verbose: Verbose = False,
) -> None:
    """Restore a backup into an empty database and an unused spool; brings the schema up to date.

    What was being done at the time of the backup is done again when the node starts.
    PostgreSQL needs pg_restore here.
    """
    settings = read_config(config, verbose=verbose)
    with contextlib.closing(Database(settings.storage.database)) as database:
        upgrade_it = partial(migrate.upgrade, database)
        found = copies.put_back(database, settings.storage.spool, folder, upgrade_it)
    with opened_node(settings) as node:
        copies.note_restored(node, found)
    _show(folder, found, as_json=as_json)


def _show(folder: Path, found: copies.Backup, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(found))
    else:
        size = f"{found.files} files, {found.bytes / _MIB:.0f} MiB, schema {found.schema}"
        print(f"{folder}: {found.made_at}, {size}")
