"""The sweep of a node that notifies: find out, make messages, send what is due."""

from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.notify.gather import Gatherer
from pacs_ai.flow.notify.tell import compose, send_due


class Notifier:
    """Does it all at each call.

    Parameters
    ----------
    context
        The node.
    """

    def __init__(self, context: FlowContext) -> None:
        self._context = context
        self._gatherer = Gatherer(context)

    def sweep(self) -> None:
        """Look, and tell."""
        self._gatherer.gather()
        compose(self._context)
        send_due(self._context)
