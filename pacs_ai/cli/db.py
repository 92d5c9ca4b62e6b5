"""``pacs-ai db``: the schema of the database, and that it belongs to its spool."""

from typing import Annotated

import typer

from pacs_ai.cli import rekey as keys
from pacs_ai.cli.node import open_database
from pacs_ai.cli.options import AsJson, ConfigPath, Verbose, group, read_config
from pacs_ai.cli.tables import print_json
from pacs_ai.config import describe
from pacs_ai.errors import ConfigError
from pacs_ai.flow import rekey as flow
from pacs_ai.store import migrate, version
from pacs_ai.store.session import Database

app = group("The database: its schema, and the spool it belongs to.")


@app.command()
def upgrade(*, config: ConfigPath = None, verbose: Verbose = False) -> None:
    """Bring the schema up to this version's; makes it in an empty database."""
    settings = read_config(config, verbose=verbose)
    database = Database(settings.storage.database)
    try:
        before = version.current(database)
        migrate.upgrade(database)
        after = version.current(database)
    finally:
        database.close()
    print(f"schema {after}" + ("" if before == after else f", upgraded from {before or 'nothing'}"))


@app.command()
def check(*, as_json: AsJson = False, config: ConfigPath = None, verbose: Verbose = False) -> None:
    """Compare the schema with this version's; exit code 2 if they differ."""
    settings = read_config(config, verbose=verbose)
    database = open_database(settings)
    try:
        current = version.current(database)
    finally:
        database.close()
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
    anew without the other. The node must be stopped. Keyed hashes are computed anew from the
    files.
    """
    settings = read_config(config, verbose=verbose)
    database = keys.database_of(settings)
    try:
        context = keys.context_of(settings, database)
        problem = keys.problem_of(database, settings.storage.spool)
        if not problem:
            count = flow.Rekeyed(0, 0)
        else:
            count = flow.look(context) if dry_run else flow.rekey(context, problem)
    finally:
        database.close()
    if as_json:
        numbers = {"studies": count.studies, "renewed": count.renewed, "lost": count.lost}
        print_json({"problem": problem, "done": bool(problem) and not dry_run, **numbers})
    elif not problem:
        print("database and spool belong together: nothing is to be done")
    else:
        would = "would be " if dry_run else ""
        print(f"{problem}.")
        print(f"{count.renewed} of {count.studies} studies {would}rekeyed from their files.")
        print(f"{count.lost} of them have no file that can be read.")
        print(keys.LOST)
