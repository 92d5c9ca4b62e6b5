"""A DICOM node as a destination: C-STORE (PS3.4 Annex B)."""

from collections.abc import Sequence
from functools import partial

from pacs_ai.destinations.base import DeliveryAnswer, DeliveryOutcome, MayLeave, OutgoingFile
from pacs_ai.errors import ContextRejected, PeerError
from pacs_ai.net.scu import client
from pacs_ai.net.scu.client import KeptAssociations, PeerAddress, StoreOutcome
from pacs_ai.net.status import Status, Verdict

_ANSWERS = {
    Verdict.SUCCESS: DeliveryAnswer.STORED,
    Verdict.WARNING: DeliveryAnswer.STORED,
    Verdict.RETRY: DeliveryAnswer.NOT_NOW,
    Verdict.REFUSED: DeliveryAnswer.REFUSED,
}


class DimseDestination:
    """Sends on one association, if 128 presentation contexts suffice; the next delivery reuses it.

    Parameters
    ----------
    address
        Where it is, and how it wants to be spoken to.
    calling_aet
        What this node calls itself.
    timeout
        Seconds; see `pacs_ai.net.scu.associate.request_association`.
    associations
        Where the association is kept between two deliveries.
    idle_seconds
        How long it is kept without a delivery; 0 for not at all.
    """

    def __init__(
        self,
        address: PeerAddress,
        calling_aet: str,
        timeout: float,
        associations: KeptAssociations,
        idle_seconds: float,
    ) -> None:
        self._address = address
        self._calling_aet = calling_aet
        self._timeout = timeout
        self._associations = associations
        self._idle_seconds = idle_seconds

    def deliver(
        self, files: Sequence[OutgoingFile], may_leave: MayLeave
    ) -> Sequence[DeliveryOutcome]:
        """Send each file as it is."""
        by_path = {file.path: file for file in files}
        try:
            outcomes = client.store(
                self._address,
                self._calling_aet,
                list(by_path),
                timeout=self._timeout,
                may_leave=lambda path: may_leave(by_path[path]),
                use_association=partial(self._associations.use, idle_seconds=self._idle_seconds),
            )
        except PeerError as error:
            answer = DeliveryAnswer.NOT_NOW if error.retryable else DeliveryAnswer.REFUSED
            return [DeliveryOutcome(answer, error)] * len(files)
        return [_translated(outcome) for outcome in outcomes]

    def probe(self) -> None:
        """Ask by C-ECHO."""
        self._associations.without_idle(
            self._address,
            lambda: client.echo(self._address, self._calling_aet, timeout=self._timeout),
        )


def _translated(outcome: StoreOutcome) -> DeliveryOutcome:
    answer = _ANSWERS[outcome.verdict]
    if isinstance(outcome.error, client.Withheld):
        return DeliveryOutcome(DeliveryAnswer.WITHHELD)
    if isinstance(outcome.error, ContextRejected):
        answer = DeliveryAnswer.CLASS_REFUSED
    elif outcome.status == Status.DUPLICATE_INSTANCE:
        answer = DeliveryAnswer.HELD_ALREADY
    note = f"stored with status 0x{outcome.status:04X}" if outcome.warning else ""
    return DeliveryOutcome(answer, outcome.error, outcome.status, note, outcome.unanswered)
