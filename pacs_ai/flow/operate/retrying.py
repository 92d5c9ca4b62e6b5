"""What trying jobs and deliveries again has in common."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from pacs_ai.errors import IllegalTransition, StateError
from pacs_ai.store.session import Session

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Retried:
    """The ids of the jobs or deliveries that are tried again, and their number."""

    retried: int
    ids: list[str] | list[int]


def states_to_retry(state: str | None, allowed: Sequence[StrEnum]) -> Sequence[str]:
    """Return the states whose rows are tried again: the first one allowed if none is given.

    Raises
    ------
    StateError
        If rows in this state cannot be tried again.
    """
    if state is None:
        return allowed[:1]
    if state not in allowed:
        raise StateError(f"what is {state} cannot be tried again, only {', '.join(allowed)}")
    return [state]


def retry_those_left(
    session: Session, rows: Sequence[Row], retry: Callable[[Session, Row], None]
) -> list[Row]:
    """Try rows again, except those whose state somebody else has changed meanwhile.

    Parameters
    ----------
    retry
        Tries one row again; raises `IllegalTransition` if its state has changed.

    Returns
    -------
    list
        The rows that are tried again.
    """
    done = []
    for row in rows:
        try:
            retry(session, row)
        except IllegalTransition:
            continue
        done.append(row)
    return done
