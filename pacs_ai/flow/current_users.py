"""Who may call now: the users of a file, and those that commands have added."""

import threading
import time

from pacs_ai.errors import StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.net.users import Users, read_users
from pacs_ai.store import users

_LOOK_SECONDS = 1.0
"""How long an answer holds: as long as a removed user may go on to open associations."""


class CurrentUsers:
    """Gives the users to the listener; looks for new rows once a second at most.

    While the database is out of reach, those who were known last may call.

    Parameters
    ----------
    context
        The node. ``node.users`` is read once: at the start.

    Raises
    ------
    ConfigError
        If the file of ``node.users`` is of no use.
    """

    def __init__(self, context: FlowContext) -> None:
        path = context.config.node.users
        self._context = context
        self._file = None if path is None else read_users(path)
        self._rows: dict[str, str] = {}
        self._users = self._file
        self._looked_at = float("-inf")
        self._lock = threading.Lock()
        self()

    def __call__(self) -> Users | None:
        """Return who may call; None where nobody has to show who it is."""
        if self._lock.acquire(blocking=False):
            try:
                if time.monotonic() - self._looked_at >= _LOOK_SECONDS:
                    self._look()
            finally:
                self._lock.release()
        return self._users

    def _look(self) -> None:
        try:
            with self._context.database.read() as session:
                rows = users.digests(session)
        except StorageError:
            return
        self._looked_at = time.monotonic()
        if rows != self._rows:
            self._rows = rows
            self._users = Users.joined(self._file, rows) if rows else self._file
