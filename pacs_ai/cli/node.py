"""The node as an operator's command sees it: rows and files, no models, no network."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from pacs_ai.clock import SystemClock
from pacs_ai.config import Config
from pacs_ai.engine.local import LocalEngine
from pacs_ai.errors import ConfigError, StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.logs import use_secret
from pacs_ai.store import version
from pacs_ai.store.operator import ACTOR
from pacs_ai.store.pairing import pair
from pacs_ai.store.session import Database
from pacs_ai.store.spool import Spool


@contextlib.contextmanager
def opened_node(config: Config) -> Iterator[FlowContext]:
    """Open the database and spool that a node has made.

    Raises
    ------
    ConfigError
        If there is no database, or its schema is not this version's.
    """
    database = open_database(config)
    try:
        step = version.current(database)
        if step != version.SCHEMA_STEP:
            raise ConfigError(version.remedy(step))
        spool = Spool(config.storage.spool, "")  # of no node's own: rows name paths from the root
        secret = _secret(database, config.storage.spool)
        use_secret(secret)
        clock = SystemClock()
        engine = LocalEngine(database, clock, ACTOR, config.engine.lease_seconds)
        yield FlowContext(config, database, spool, engine, clock, ACTOR, secret)
    finally:
        database.close()


def _secret(database: Database, root: Path) -> bytes:
    """Return the spool's secret; rows can be looked at without it, or with a wrong one."""
    try:
        return pair(database, root)
    except (ConfigError, StorageError) as error:
        print(
            f"pacs-ai: warning: {error.message}. No study is found by its accession number.",
            file=sys.stderr,
        )
        return b""


def open_database(config: Config) -> Database:
    """Open a database that exists: a command that only looks must not leave an empty one behind."""
    url = config.storage.database
    if url.startswith("sqlite:"):
        path = Path(url.removeprefix("sqlite:///"))
        if not path.exists():
            raise ConfigError(
                f"storage.database: {path} does not exist; the node makes it when it starts"
            )
    return Database(url)
