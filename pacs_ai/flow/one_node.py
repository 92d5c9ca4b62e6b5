"""Sweeps over the rows of all nodes, which one node at a time makes."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from pacs_ai.flow.context import FlowContext
from pacs_ai.store.one_node import one_node

_T = TypeVar("_T")


def on_one_node(step: Callable[..., _T]) -> Callable[..., _T | None]:
    """Return a step, whose first argument is the node, that is left out while another makes it."""

    @wraps(step)
    def begin(context: FlowContext, *others: object) -> _T | None:
        with one_node(context.database, step.__name__) as here:
            return step(context, *others) if here else None

    return begin
