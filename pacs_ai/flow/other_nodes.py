"""A study may come through several nodes at once: what each has to know of the others."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pacs_ai.flow.arrivals import Arrivals
from pacs_ai.flow.context import FlowContext
from pacs_ai.store import brought
from pacs_ai.store.completeness import Revision

_LOOK_SECONDS = 0.5
"""Between two looks at what other nodes have noted."""


@dataclass(frozen=True, slots=True)
class Others:
    """What other nodes have to do with a revision.

    Parameters
    ----------
    again
        When to look again, as one of them may bring more of it; None if none does.
    ended
        When this was first so, on the monotonic clock.
    released
        Whether the last association with each of them was released.
    """

    again: float | None
    ended: float
    released: bool


class OtherNodes:
    """Tells the others what this node has done with, and learns the same from them.

    Attributes
    ----------
    context
        The node, with the settings in force.
    """

    def __init__(self, context: FlowContext, arrivals: Arrivals) -> None:
        self.context = context
        self._arrivals = arrivals
        self._ended: dict[Revision, float] = {}

    def forget(self, revisions: Collection[Revision]) -> None:
        """Forget all revisions but these."""
        self._ended = {one: at for one, at in self._ended.items() if one in set(revisions)}

    def tell(self, forgotten: Mapping[Revision, bool]) -> None:
        """Note what this node brings nothing more of, if another one has to close it.

        Parameters
        ----------
        forgotten
            As `Arrivals.watch` returns it.
        """
        if not forgotten:
            return
        node = self.context.spool.node
        with self.context.database.read() as session:
            elsewhere = brought.closed_elsewhere(session, forgotten.keys(), node)
        if elsewhere:
            with self.context.write(durable=False) as transaction:
                brought.note(transaction, node, {one: forgotten[one] for one in elsewhere})

    def look(self, revision: Revision, now: float) -> Others | None:
        """Return what others have to do with a revision; None if nothing of it came by them.

        A node that notes nothing is waited for as long as it lets an association be silent.
        """
        with self.context.database.read() as session:
            found = brought.by_others(session, revision, self.context.spool.node)
        if found is None:
            return None
        until = self._arrivals.silent_since(revision, now) + self.context.config.limits.idle_seconds
        if not found.ended and now < until:
            self._ended.pop(revision, None)
            return Others(now + _LOOK_SECONDS, now, released=False)
        return Others(None, self._ended.setdefault(revision, now), found.released)
