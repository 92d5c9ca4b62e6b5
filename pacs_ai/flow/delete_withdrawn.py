"""Archives that know no rejection notes: what is withdrawn is deleted there.

A note is made as for any other archive, with a delivery of its own. Where the archive is told by
deleting, that delivery deletes what the note names: it is tried again like any other.
"""

from collections.abc import Sequence

from pacs_ai.destinations.base import Destination
from pacs_ai.flow.context import FlowContext
from pacs_ai.store import withdrawals
from pacs_ai.store.deliveries import ClaimedDelivery
from pacs_ai.withdrawal_kinds import Notice


def deleting(
    context: FlowContext, name: str, destination: Destination, batch: Sequence[ClaimedDelivery]
) -> Destination:
    """Return a destination that obeys the rejection notes among some deliveries.

    Parameters
    ----------
    name
        Of its section.
    destination
        Takes everything else.
    """
    notes = [one.sop_instance_uid for one in batch if one.kind == Notice.NOTE]
    if not notes:
        return destination
    from pacs_ai.destinations.deletion import (  # noqa: PLC0415 - loads dicomweb-client
        DeletingDestination,
    )

    with context.database.read() as session:
        named = {uid: withdrawals.named_by(session, uid) for uid in notes}
    return DeletingDestination(context.config, name, destination, named)
