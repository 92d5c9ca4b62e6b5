"""What the node asks of its peers: an echo, to store, to commit."""

import queue
import time
from collections.abc import Sequence

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import build_role, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context

from pacs_ai.errors import NotDicom, PeerError, PeerUnreachable
from pacs_ai.net import commitment
from pacs_ai.net.contexts import (
    COMMITMENT_PUSH,
    COMMITMENT_PUSH_INSTANCE,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    VERIFICATION,
)
from pacs_ai.net.handlers import CommitmentReport, SopReference
from pacs_ai.net.requestor import PeerAddress, association, context
from pacs_ai.net.sending import StoreOutcome, store
from pacs_ai.net.status import Status

__all__ = [
    "PeerAddress",
    "StoreOutcome",
    "echo",
    "report_commitment",
    "request_commitment",
    "store",
]

_POLL_SECONDS = 0.1


def echo(peer: PeerAddress, calling_aet: str, timeout: float = 30) -> None:
    """Ask a peer whether it is there (C-ECHO, PS3.4 Annex A).

    Raises
    ------
    PeerError
        If it is not, or answers anything but success; see its subclasses.
    """
    contexts = [context(VERIFICATION, IMPLICIT_LITTLE)]
    with association(peer, calling_aet, contexts, timeout) as made:
        _check(peer, "C-ECHO", _status(made.send_c_echo()))


def request_commitment(
    peer: PeerAddress,
    calling_aet: str,
    transaction_uid: str,
    references: Sequence[SopReference],
    wait_seconds: float,
    timeout: float = 30,
) -> CommitmentReport | None:
    """Ask a peer to say whether it keeps what it was sent (N-ACTION, PS3.4 Annex J.3.2).

    Parameters
    ----------
    transaction_uid
        What the peer's report will name, on whichever association it comes.
    references
        SOP class and instance of each object.
    wait_seconds
        How long to keep the association for the report.

    Returns
    -------
    CommitmentReport or None
        The report if it came on this association. None: it will come on another one.

    Raises
    ------
    PeerError
        If the request did not get through, or was refused.
    """
    reports: queue.SimpleQueue[CommitmentReport] = queue.SimpleQueue()

    def take(event: evt.Event) -> tuple[int, None]:
        try:
            report = commitment.read_report(event.event_information)
        except NotDicom:
            return Status.PROCESSING_FAILURE, None
        if report.transaction_uid != transaction_uid:
            return Status.PROCESSING_FAILURE, None
        reports.put(report)
        return Status.SUCCESS, None

    contexts = _commitment_contexts()
    handlers = [(evt.EVT_N_EVENT_REPORT, take)]
    with association(peer, calling_aet, contexts, timeout, handlers=handlers) as made:
        answer, _ = made.send_n_action(
            commitment.request_dataset(transaction_uid, references),
            commitment.REQUEST_ACTION,
            UID(COMMITMENT_PUSH),
            UID(COMMITMENT_PUSH_INSTANCE),
        )
        _check(peer, "N-ACTION", _status(answer))
        return _await_report(made, reports, wait_seconds)


def report_commitment(
    peer: PeerAddress, calling_aet: str, report: CommitmentReport, timeout: float = 30
) -> None:
    """Deliver our own report on an association for it (N-EVENT-REPORT, PS3.4 Annex J.3.3).

    Raises
    ------
    PeerError
        If it did not get through, or was refused.
    """
    event_type, dataset = commitment.report_dataset(report)
    roles = [build_role(UID(COMMITMENT_PUSH), scu_role=False, scp_role=True)]
    contexts = _commitment_contexts()
    with association(peer, calling_aet, contexts, timeout, roles=roles) as made:
        answer, _ = made.send_n_event_report(
            dataset, event_type, UID(COMMITMENT_PUSH), UID(COMMITMENT_PUSH_INSTANCE)
        )
        _check(peer, "N-EVENT-REPORT", _status(answer))


def _commitment_contexts() -> list[PresentationContext]:
    return [build_context(UID(COMMITMENT_PUSH), [EXPLICIT_LITTLE, IMPLICIT_LITTLE])]


def _await_report(
    made: Association, reports: queue.SimpleQueue[CommitmentReport], seconds: float
) -> CommitmentReport | None:
    """Wait as long as the peer keeps the association, too."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return reports.get(timeout=_POLL_SECONDS)
        except queue.Empty:
            if time.monotonic() >= deadline or not made.is_established:
                return None


def _status(answer: Dataset) -> int | None:
    status = answer.get("Status")
    return None if status is None else int(status)


def _check(peer: PeerAddress, operation: str, status: int | None) -> None:
    if status is None:
        raise PeerUnreachable(f"{peer.ae_title}: no answer to {operation}")
    if status != Status.SUCCESS:
        raise PeerError(f"{peer.ae_title}: {operation} answered 0x{status:04X}")
