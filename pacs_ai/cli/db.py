"""``pacs-ai db``: the schema of the database."""

from pacs_ai.cli.node import open_database
from pacs_ai.cli.options import AsJson, ConfigPath, Verbose, group, read_config
from pacs_ai.cli.tables import print_json
from pacs_ai.configfile import describe
from pacs_ai.errors import ConfigError
from pacs_ai.store import migrate, version
from pacs_ai.store.session import Database

app = group("The database's schema.")


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
