"""How the parts of the node are put together: once for the daemon, once for an operator's command.

`node_context` makes what is missing (schema, folders, secret). `opened_node` and `unpaired_node`
open what a node has made: rows and files, no models, no network.
"""

import contextlib
import getpass
import os
import re
import socket
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from pacs_ai.clock import Clock, SystemClock
from pacs_ai.config import Config
from pacs_ai.engine.choose import task_table
from pacs_ai.engine.table_engine import TableEngine
from pacs_ai.errors import ConfigError, StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.logs import use_secret
from pacs_ai.store import version
from pacs_ai.store.operator import ACTOR
from pacs_ai.store.pairing import pair
from pacs_ai.store.prepare import prepare
from pacs_ai.store.session import Database
from pacs_ai.store.spool import Spool


def node_context(
    config: Config,
    *,
    clock: Clock | None = None,
    owner: str | None = None,
    child: bool = False,
) -> FlowContext:
    """Put a node together that receives, works and delivers.

    Parameters
    ----------
    clock
        Another clock than the system's, for tests.
    owner
        Who acts, ``node/boot/process``; by default made from host name and process id.
    child
        Whether this process is the child of a daemon. The daemon has made schema and tables, and
        the schema may have become newer since.

    Raises
    ------
    ConfigError
        If the database does not fit, or the spool belongs to another database.
    """
    owner = owner or f"{node_name()}/{uuid.uuid4().hex[:8]}/{os.getpid()}"
    spool = Spool(
        config.storage.spool,
        owner.split("/", 1)[0],
        durable=config.storage.durability == "full",
    )
    database = Database(config.storage.database)
    if child:
        version.refuse_older(database)
    else:
        prepare(database)
        task_table(config.engine.kind).prepare(database)
    secret = pair(database, config.storage.spool)
    spool.open()
    return _assembled(config, database, spool, secret, owner, clock)


@contextlib.contextmanager
def opened_node(config: Config, warn: Callable[[str], None]) -> Iterator[FlowContext]:
    """Open the database and the spool of an existing node, as an operator.

    Parameters
    ----------
    warn
        Is called with a sentence if the spool's secret is missing or wrong. Rows can be read
        without it, but no study is found by its accession number.

    Raises
    ------
    ConfigError
        If there is no database, or its schema is not this version's.
    """
    database = open_database(config)
    with contextlib.closing(database):
        version.require(database)
        try:
            secret = pair(database, config.storage.spool)
        except (ConfigError, StorageError) as error:
            warn(f"{error.message}. No study is found by its accession number.")
            secret = b""
        yield _operated(config, database, secret)


@contextlib.contextmanager
def unpaired_node(config: Config) -> Iterator[FlowContext]:
    """Open a node without its secret, to give it a new one; makes the schema of a new database.

    Raises
    ------
    ConfigError
        If the schema is of another version.
    """
    database = Database(config.storage.database)
    with contextlib.closing(database):
        if version.current(database) is None:
            from pacs_ai.store.migrate import upgrade  # noqa: PLC0415 - loads Alembic, half a second

            upgrade(database)
        version.require(database)
        yield _operated(config, database, b"")


def open_database(config: Config) -> Database:
    """Open an existing database; a command that only reads must not create an empty one.

    Raises
    ------
    ConfigError
        If a SQLite file is missing.
    """
    url = config.storage.database
    if url.startswith("sqlite:"):
        path = Path(url.removeprefix("sqlite:///"))
        if not path.exists():
            raise ConfigError(
                f"storage.database: {path} does not exist; the node makes it when it starts"
            )
    return Database(url)


def node_name() -> str:
    """Return this machine's name as it appears in folders and leases."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname()).strip(".")
    return name[:64] or "node"


def _operated(config: Config, database: Database, secret: bytes) -> FlowContext:
    spool = Spool(config.storage.spool, "")  # not one node's: rows name paths from the root
    return replace(_assembled(config, database, spool, secret, ACTOR), user=account())


def account() -> str:
    """Return the name of the account of the system that this process runs as."""
    try:
        return getpass.getuser()[:64]
    except (KeyError, OSError):  # an account without a name, as in a container
        return f"uid {os.getuid()}"


def _assembled(
    config: Config,
    database: Database,
    spool: Spool,
    secret: bytes,
    owner: str,
    clock: Clock | None = None,
) -> FlowContext:
    use_secret(secret)
    clock = clock or SystemClock()
    tasks = task_table(config.engine.kind)
    engine = TableEngine(tasks, database, clock, owner, config.engine.lease_seconds)
    return FlowContext(config, database, spool, engine, clock, owner, secret)
