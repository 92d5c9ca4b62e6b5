"""The node behind the Storage SCP: passes on what arrives, and counts it by association."""

import threading
from dataclasses import dataclass

from pacs_ai.files import IncomingFile
from pacs_ai.flow.arrivals import ArrivalListener
from pacs_ai.flow.audit.rejections import Rejections
from pacs_ai.flow.commitment_scu import report
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.receive import open_incoming, receive
from pacs_ai.flow.traffic import TrafficListener
from pacs_ai.logs import get_logger
from pacs_ai.net.commitment_dataset import CommitmentReport
from pacs_ai.net.scp.handlers import AssociationInfo, ReceivedInstance, StoreAnswer

RELEASED = "released"

_log = get_logger()


@dataclass(slots=True)
class _Counts:
    instances: int = 0
    refused: int = 0
    bytes: int = 0


class StorageScp:
    """What the Storage SCP calls, from the threads of its associations.

    Parameters
    ----------
    arrivals
        Is told which studies get instances.
    traffic
        Is told what is received.
    """

    def __init__(
        self, context: FlowContext, arrivals: ArrivalListener, traffic: TrafficListener
    ) -> None:
        self._context = context
        self._arrivals = arrivals
        self._traffic = traffic
        self._lock = threading.Lock()
        self._counts: dict[str, _Counts] = {}
        self._rejections = Rejections(context)

    def opened(self, association: AssociationInfo) -> None:
        """Start to count for an association."""
        with self._lock:
            self._counts[association.id] = _Counts()
        self._traffic.opened()

    def rejected(self, calling_aet: str, peer_ip: str, reason: str) -> None:
        """Enter a rejection in the audit trail."""
        self._rejections.note(calling_aet, peer_ip, reason)

    def closed(self, association: AssociationInfo, outcome: str) -> None:
        """Log what an association brought; a release may complete studies."""
        now = self._context.clock.monotonic()
        self._arrivals.closed(association.id, released=outcome == RELEASED, now=now)
        self._traffic.ended(outcome)
        with self._lock:
            counts = self._counts.pop(association.id, _Counts())
        _log.info(
            "association closed",
            peer=association.calling_aet,
            called=association.called_aet,
            address=association.peer_ip,
            instances=counts.instances,
            refused=counts.refused,
            bytes=counts.bytes,
            seconds=round(now - association.started, 3),
            outcome=outcome,
        )

    def open_incoming(self) -> IncomingFile:
        """Open a file for an instance that begins to arrive."""
        return open_incoming(self._context)

    def discard(self, incoming: IncomingFile) -> None:
        """Remove the file of an instance that did not arrive whole."""
        self._context.spool.discard(incoming)

    def store(self, received: ReceivedInstance) -> StoreAnswer:
        """Take an instance that has arrived."""
        start = self._context.clock.monotonic()
        answer = receive(self._context, self._arrivals, received)
        seconds = self._context.clock.monotonic() - start
        self._traffic.stored(answer.status, received.bytes, seconds)
        counts = self._counts.get(received.association.id)
        if counts is not None:
            counts.instances += 1
            counts.refused += answer.status not in (0x0000, 0xB000)
            counts.bytes += received.bytes
        return answer

    def refused(self, status: int) -> None:
        """Count an instance that was refused before it had arrived."""
        self._traffic.refused(status)

    def commitment_report(self, received: CommitmentReport) -> int:
        """Take an archive's storage commitment report."""
        return report(self._context, received)
