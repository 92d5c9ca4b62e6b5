"""``pacs-ai db``: the schema of the database, and that it belongs to its spool."""

import contextlib
from typing import Annotated

import typer

from pacs_ai.cli.options import AsJson, ConfigPath, Verbose, group, read_config
from pacs_ai.cli.tables import print_json
from pacs_ai.config import describe
from pacs_ai.errors import ConfigError
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

app = group("The database: its schema, and the spool it belongs to.")


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
