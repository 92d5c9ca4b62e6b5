"""What ``pacs-ai db rekey`` says and does."""

from pathlib import Path

from pacs_ai.clock import SystemClock
from pacs_ai.config import Config
from pacs_ai.engine.local import LocalEngine
from pacs_ai.errors import ConfigError
from pacs_ai.flow import rekey
from pacs_ai.flow.context import FlowContext
from pacs_ai.logs import use_secret
from pacs_ai.store import migrate, pairing, version
from pacs_ai.store.operator import ACTOR
from pacs_ai.store.session import Database
from pacs_ai.store.spool import Spool

LOST = """\
What is lost for good:
- of studies without files: the search by accession number, and the comparison of their patient
  with that of images that come later;
- the names that logs called studies by until now;
- the UID of this installation as the observer in reports: new reports carry another."""


def database_of(config: Config) -> Database:
    """Open the database, and make its schema where it is new: it may be all that was lost.

    Raises
    ------
    ConfigError
        If its schema is of another version.
    """
    database = Database(config.storage.database)
    step = version.current(database)
    if step is None:
        migrate.upgrade(database)
    elif step != version.SCHEMA_STEP:
        raise ConfigError(version.remedy(step))
    return database


def problem_of(database: Database, root: Path) -> str:
    """Say what is wrong between database and spool; "" if they belong together."""
    with database.read() as session:
        known = pairing.known_by(session)
    return pairing.mismatch(known, root)


def context_of(config: Config, database: Database) -> FlowContext:
    """Return the node without a secret: it is what this is about."""
    use_secret(b"")
    clock = SystemClock()
    engine = LocalEngine(database, clock, ACTOR, config.engine.lease_seconds)
    spool = Spool(config.storage.spool, "")
    context = FlowContext(config, database, spool, engine, clock, ACTOR, b"")
    rekey.check_stopped(context)
    return context
