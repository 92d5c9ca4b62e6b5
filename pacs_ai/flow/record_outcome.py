"""Write an outcome that is known to a database that is busy or out of reach for a while."""

from collections.abc import Callable
from typing import TypeVar

from pacs_ai.errors import StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.logs import get_logger
from pacs_ai.store.session import Transaction

T = TypeVar("T")

SECONDS = 600.0
"""How long an outcome is kept in memory for a database that cannot be written."""

PAUSE_SECONDS = 2.0

_log = get_logger()


def record_outcome(
    context: FlowContext, work: Callable[[Transaction], T], *, durable: bool = True
) -> T:
    """Run work in a transaction, again and again while the database cannot be written.

    Otherwise a finished analysis or transfer would be repeated, and count as a crash.

    Parameters
    ----------
    work
        May run more than once, so it changes rows only in the state that it expects.
    durable
        See `Database.write`.

    Raises
    ------
    StorageError
        If the database could not be written for `SECONDS`, or the node stops.
    """
    clock = context.clock
    end = clock.monotonic() + SECONDS
    while True:
        try:
            with context.write(durable=durable) as transaction:
                return work(transaction)
        except StorageError as error:
            if clock.monotonic() >= end or context.stopping.is_set():
                raise
            _log.warning("the database does not take an outcome: it is kept", error=error.code)
        clock.sleep(PAUSE_SECONDS)
