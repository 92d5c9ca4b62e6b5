"""What ``jobs retry`` and ``deliveries retry`` have in common: rows by id, or by a filter."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TypeVar

import typer

from pacs_ai.cli.lookup import selection
from pacs_ai.cli.tables import print_json
from pacs_ai.errors import IllegalTransition
from pacs_ai.flow.context import FlowContext
from pacs_ai.store.selection import Filter
from pacs_ai.store.session import Session

Row = TypeVar("Row")


def check_choice(ids: Sequence[object], filters: dict[str, str | None]) -> None:
    """Refuse ids together with filters, and neither of them.

    Raises
    ------
    typer.BadParameter
        All that ever failed is a choice that has to be said: ``--state failed``.
    """
    filtered = any(value is not None for value in filters.values())
    if bool(ids) == filtered:
        wrong = "not both" if ids else "for example --state failed"
        raise typer.BadParameter(f"give either ids or filters, {wrong}")


def states_of(state: StrEnum | None, allowed: Sequence[StrEnum]) -> list[StrEnum]:
    """Return the states to look in: the first one allowed where none is given."""
    if state is None:
        return [allowed[0]]
    if state not in allowed:
        raise typer.BadParameter(
            f"what is {state} cannot be tried again, only {', '.join(allowed)}",
            param_hint="--state",
        )
    return [state]


def filter_of(node: FlowContext, filters: dict[str, str | None]) -> Filter:
    """Make the filter; the state is looked at elsewhere."""
    return selection(
        node,
        since=filters["since"],
        before=filters["before"],
        study=filters["study"],
        sender=filters["sender"],
        peer=filters["peer"],
        model=filters["model"],
    )


def try_again(
    session: Session, rows: Sequence[Row], again: Callable[[Session, Row], None], *, strict: bool
) -> list[Row]:
    """Have rows tried again.

    Parameters
    ----------
    again
        What that means for one row.
    strict
        Whether a row that moved meanwhile ends all; else it is left to whoever moved it.

    Returns
    -------
    list
        The rows that are tried again.
    """
    done = []
    for row in rows:
        try:
            again(session, row)
        except IllegalTransition:
            if strict:
                raise
        else:
            done.append(row)
    return done


def tell(ids: Sequence[object], names: tuple[str, str], does: str, *, as_json: bool) -> None:
    """Say how many rows there were, also if there were none.

    Parameters
    ----------
    names
        What one row is called, and what several are.
    does
        What becomes of them.
    """
    one, several = names
    if as_json:
        print_json({"retried": len(ids), "ids": list(ids)})
    elif not ids:
        print(f"nothing to try again: no {one} matches")
    elif len(ids) == 1:
        print(f"{one} {ids[0]}: {does}")
    else:
        print(f"{len(ids)} {several}: {does}")
