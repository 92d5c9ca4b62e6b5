"""What trying jobs and deliveries again has in common."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from pacs_ai.errors import IllegalTransition, StateError
from pacs_ai.flow.context import FlowContext
from pacs_ai.store.schema import Delivery, Job
from pacs_ai.store.selection import Filter
from pacs_ai.store.session import Session, Transaction

Row = TypeVar("Row", Job, Delivery)


@dataclass(frozen=True, slots=True)
class Retried:
    """The ids of the jobs or deliveries that are tried again, and their number."""

    retried: int
    ids: Sequence[str | int]


def retry_matching(
    context: FlowContext,
    wanted: Filter,
    allowed: Sequence[StrEnum],
    select: Callable[[Session, Filter, Sequence[str]], Sequence[Row]],
    retry: Callable[[FlowContext, Transaction, Row], None],
) -> Retried:
    """Try all rows again that a filter selects.

    Rows whose state somebody else changes meanwhile are left as they are.

    Parameters
    ----------
    wanted
        Its state is one of ``allowed``; the first of them if it has none.
    select
        Returns the rows in some states that a filter selects.
    retry
        Tries one row again; raises `IllegalTransition` if its state has changed.

    Raises
    ------
    StateError
        If rows in this state cannot be tried again.
    """
    state = wanted.state or allowed[0]
    if state not in allowed:
        raise StateError(f"what is {state} cannot be tried again, only {', '.join(allowed)}")
    done = []
    with context.write() as transaction:
        for row in select(transaction, wanted, [state]):
            with contextlib.suppress(IllegalTransition):
                retry(context, transaction, row)
                done.append(row.id)
    return Retried(len(done), done)
