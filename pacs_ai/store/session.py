"""Open the database and hand out transactions.

A commit that returned survives a power cut, unless its transaction was begun with
``durable=False``. Then it survives the end of every process, but a power cut may undo it, together
with what was committed after it. The next durable commit makes all earlier ones durable, too.
SQLite runs in WAL mode with ``synchronous=FULL`` or ``NORMAL``; PostgreSQL has
``synchronous_commit`` for this.

Write transactions begin with ``BEGIN IMMEDIATE``: one that reads first and writes later would
otherwise fail at once with "database is locked", whatever the busy timeout.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from pacs_ai.errors import ConfigError, DatabaseBusy, StorageError
from pacs_ai.store.driver_errors import translated
from pacs_ai.store.group_commit import GroupCommit
from pacs_ai.store.sqlite_transactions import BUSY_SECONDS, begin, configure

__all__ = ["BUSY_SECONDS", "Database", "Session", "Transaction"]

T = TypeVar("T")

LISTEN_SECONDS = 2.0
"""Time between two checks of a connection on which nothing comes."""

RECEIVE_BUSY_SECONDS = 5.0
"""How long a transaction waits for another while a sender waits for its C-STORE response."""


_OF_POSTGRESQL: Mapping[str, str | int] = {
    "connect_timeout": int(RECEIVE_BUSY_SECONDS),
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "options": " ".join(
        f"-c {setting}"
        for setting in (
            "idle_in_transaction_session_timeout=60s",
            "tcp_keepalives_idle=30",
            "tcp_keepalives_interval=10",
            "tcp_keepalives_count=3",
        )
    ),
}
"""Parameters of a connection, unless the URL has them.

A node that is cut off from the server sees it within about ten seconds, and its C-STOREs are
answered. Rows that a node had locked when it was frozen or cut off are free a minute later.
"""


class Transaction(Session):
    """A transaction that changes rows. What only reads takes a `Session`.

    Parameters
    ----------
    bind
        Where it begins: on a connection of its own, or on one that it shares.
    actor
        Who acts, for the audit trail: ``node/boot/process``, an AE title, or ``operator``. It is
        also the owner of the leases that are taken.
    now
        Date and time, UTC: all that happens in one transaction happens at once.
    user, address
        The person who acts, and where their request came from; "" where that is not so.
    """

    def __init__(
        self,
        bind: sa.Engine | sa.Connection,
        actor: str,
        now: datetime,
        user: str = "",
        address: str = "",
    ) -> None:
        super().__init__(bind, expire_on_commit=False)
        self.actor = actor
        self.user = user
        self.address = address
        self.now = now
        self._afterwards: list[Callable[[], None]] = []

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call a function once `Database.write` has committed; never if it does not commit."""
        self._afterwards.append(call)

    def committed(self) -> None:
        """Call what was to be called after the commit."""
        for call in self._afterwards:
            call()

    @contextlib.contextmanager
    def by(self, actor: str) -> Iterator[None]:
        """Name somebody else as who acts, for a block."""
        usual, self.actor = self.actor, actor
        try:
            yield
        finally:
            self.actor = usual


class Database:
    """One database; transactions map foreign errors to ours.

    Parameters
    ----------
    url
        SQLAlchemy URL, ``sqlite:///`` with an absolute path or ``postgresql+psycopg://``.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite:")
        try:
            # pool_size 0: as many connections as there are associations, none refused
            self.engine = sa.create_engine(url, pool_size=0, connect_args=self._driver_options())
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"storage.database: the package {error.name} is not installed; PostgreSQL needs it:"
                " pip install 'psycopg[binary]' (the extra postgresql of pacs-ai)"
            ) from None
        except (SQLAlchemyError, ValueError) as error:
            raise ConfigError(
                f"storage.database: {type(error).__name__}: it is not the URL of a database"
            ) from None
        if self.is_sqlite:
            _private(Path(url.removeprefix("sqlite:///")))
            sa.event.listen(self.engine, "connect", configure)
            sa.event.listen(self.engine, "begin", begin)
        else:
            sa.event.listen(self.engine, "begin", _begin_postgresql)
        self._receiving: sa.Connection | None = None
        self._group_commit = GroupCommit(self._write_received)

    def _driver_options(self) -> dict[str, object]:
        if self.is_sqlite:
            return {"check_same_thread": False}
        asked = sa.make_url(self.url).query
        return {name: value for name, value in _OF_POSTGRESQL.items() if name not in asked}

    @contextlib.contextmanager
    def write(
        self,
        actor: str,
        now: datetime,
        *,
        busy_seconds: float = BUSY_SECONDS,
        durable: bool = True,
        user: str = "",
        address: str = "",
    ) -> Iterator[Transaction]:
        """Run a block in one transaction: committed at its end, rolled back if it raises.

        Parameters
        ----------
        actor, now, user, address
            See `Transaction`.
        busy_seconds
            How long to wait for another transaction that writes.
        durable
            Whether the commit waits for the disk. It need not where the node would only repeat its
            own work after a power cut, and has promised nothing to anybody.

        Raises
        ------
        DatabaseBusy
            If another transaction held the database for `busy_seconds`, or it is out of reach.
        StorageError
            If the database failed otherwise.
        """
        with (
            translated(),
            Transaction(
                self._writer(busy_seconds, durable=durable), actor, now, user, address
            ) as transaction,
        ):
            with transaction.begin():
                yield transaction
            transaction.committed()

    def write_grouped(self, work: Callable[[sa.Connection], T]) -> T:
        """Run a small piece of work in a transaction that it may share with others.

        Parameters
        ----------
        work
            Must be harmless to run twice: see `GroupCommit`.

        Raises
        ------
        DatabaseBusy, StorageError
            As `write`, but after `RECEIVE_BUSY_SECONDS`.
        """
        return self._group_commit.run(work)

    @contextlib.contextmanager
    def _write_received(self) -> Iterator[sa.Connection]:
        """Run a block in one transaction, on a connection that is kept for it.

        One thread at a time: `GroupCommit` sees to it. A connection that broke is made again by its
        next transaction.
        """
        with translated():
            if self._receiving is None:
                self._receiving = self._writer(RECEIVE_BUSY_SECONDS).connect()
            with self._receiving.begin():
                yield self._receiving

    def _writer(self, busy_seconds: float, *, durable: bool = True) -> sa.Engine:
        return self.engine.execution_options(
            immediate=True, busy_ms=int(busy_seconds * 1000), durable=durable
        )

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """Run a block that only reads, on one consistent snapshot."""
        with translated(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextlib.contextmanager
    def listening(self, *channels: str) -> Iterator[Iterator[tuple[str, str]]]:
        """Listen to channels of PostgreSQL (NOTIFY), on a connection of its own.

        Yields
        ------
        iterator of (str, str)
            Channels and payloads as they come, and twice "" about every `LISTEN_SECONDS` when none
            does.

        Raises
        ------
        DatabaseBusy
            If the connection is lost.
        """
        engine = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        with translated(), engine.connect() as connection:
            connection.detach()  # nobody else may get a connection that listens
            connection.exec_driver_sql("SET application_name = 'pacs-ai wake-ups'")
            for channel in channels:
                connection.exec_driver_sql(f'LISTEN "{channel}"')
            yield _notices(connection)

    def close(self) -> None:
        """Give all connections back."""
        if self._receiving is not None:
            self._receiving.close()
        self.engine.dispose()


def server_of(url: str) -> tuple[str, str]:
    """Return the host of PostgreSQL and the ``sslmode`` that a URL states; "" where it states none.

    A host that begins with a slash is the folder of a socket.
    """
    asked = sa.make_url(url)
    return str(asked.query.get("host", asked.host or "")), str(asked.query.get("sslmode", ""))


def _private(path: Path) -> None:
    """Make the file readable by its owner only before anything is written to it."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise StorageError(f"database {path}: cannot be created ({error.strerror})") from None


def _begin_postgresql(connection: sa.Connection) -> None:
    if not connection.get_execution_options().get("durable", True):
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")


def _notices(connection: sa.Connection) -> Iterator[tuple[str, str]]:
    driver = cast("Any", connection.connection.dbapi_connection)
    while True:
        try:
            for notice in driver.notifies(timeout=LISTEN_SECONDS):
                yield notice.channel, notice.payload
        except connection.dialect.loaded_dbapi.Error:
            raise DatabaseBusy("the connection that listens was lost") from None
        connection.exec_driver_sql("SELECT 1")  # fails if the server is gone
        yield "", ""
