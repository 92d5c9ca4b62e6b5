"""All statements that the functions of the store make: each function is called, then undone."""

import importlib
import inspect
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from pacs_ai.store.session import Database, Transaction
from tests.statements.functions import asking
from tests.statements.invented import Inventor
from tests.statements.listing import Statements
from tests.statements.recorder import Recorder


def statements(database: Database, but: Collection[str] = ()) -> tuple[Statements, dict[str, str]]:
    """Call every function that asks the database for something.

    Parameters
    ----------
    but
        Functions to leave out.

    Returns
    -------
    tuple
        The statements; and of each call that failed, what the error said, by its function.
    """
    recorder = Recorder()
    errors: dict[str, str] = {}
    hooks = {"before_cursor_execute": recorder.note_insert, "after_cursor_execute": recorder.note}
    for name, hook in hooks.items():
        sa.event.listen(database.engine, name, hook)
    try:
        for place, function in called().items():
            if place not in but:
                errors[place] = _call(database, function)
    finally:
        for name, hook in hooks.items():
            sa.event.remove(database.engine, name, hook)
    return recorder.found, errors


def called() -> dict[str, Callable[..., Any]]:
    """Return those functions by their places: of modules, and not of a database as a whole.

    The latter ask for its schema, take a lock, or copy it.
    """
    found = {}
    for place in sorted(asking()):
        file, name = place.split()
        if "." in name:
            continue
        module = importlib.import_module("pacs_ai." + file.removesuffix(".py").replace("/", "."))
        function = inspect.unwrap(getattr(module, name))
        if Database not in [
            one.annotation for one in inspect.signature(function).parameters.values()
        ]:
            found[place] = function
    return found


def _call(database: Database, function: Callable[..., Any]) -> str:
    """Call it with each of its sets of arguments; returns the last error."""
    error = ""
    with Transaction(database.engine, "node/boot/1", datetime.now(UTC), user="one") as session:
        for arguments in list(Inventor(session).calls(function)):
            undone = session.begin_nested()
            try:
                made = function(**arguments)
                if inspect.isgenerator(made):
                    list(made)
                session.flush()
            except Exception as failure:  # noqa: BLE001 - the arguments may make no sense together
                error = f"{type(failure).__name__}: {failure}"[:300]
            undone.rollback()
        session.rollback()
    return error
