"""Remove many old rows without a long transaction: nobody who writes waits for all of them."""

from collections.abc import Callable

from pacs_ai.flow.context import FlowContext
from pacs_ai.store.session import Transaction

BATCH = 1000
"""Rows that one transaction removes at most: some milliseconds of work."""


def in_batches(
    context: FlowContext, remove: Callable[[Transaction, int], int], *, durable: bool = True
) -> int:
    """Remove rows batch by batch, each in a transaction of its own; return how many that were.

    Parameters
    ----------
    remove
        Removes as many rows as its argument says, at most, and returns how many it has removed.
    durable
        Whether the commits wait for the disk.
    """
    total, count = 0, BATCH
    while count == BATCH and not context.stopping.is_set():
        with context.write(durable=durable) as transaction:
            count = remove(transaction, BATCH)
        total += count
    return total
