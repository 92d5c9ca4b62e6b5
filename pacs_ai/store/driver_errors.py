"""Errors of the database as errors of `pacs_ai.errors`."""

import contextlib
import sqlite3
from collections.abc import Iterator

from sqlalchemy.exc import DBAPIError, OperationalError

from pacs_ai.errors import DatabaseBusy, NoSpace, StorageError


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn the errors of SQLAlchemy and of SQLite's driver into ours.

    Their text may quote values and is dropped.
    """
    try:
        yield
    except (OperationalError, sqlite3.OperationalError) as error:
        text = str(getattr(error, "orig", error)).lower()
        if "disk is full" in text:
            raise NoSpace("the database cannot be written: its disk is full") from None
        if "readonly" in text or "i/o error" in text or "unable to open" in text:
            raise StorageError(
                "the database cannot be reached or written: look at its disk", outage=True
            ) from None
        raise DatabaseBusy("the database did not answer in time") from None
    except (DBAPIError, sqlite3.Error) as error:
        cause = getattr(error, "orig", error)
        raise StorageError(f"the database failed ({type(cause).__name__})") from error
