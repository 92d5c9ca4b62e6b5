"""The SCU services: verification, storage, storage commitment, query, retrieval."""

from collections.abc import Sequence

from pacs_ai.errors import NotDicom, PeerError
from pacs_ai.net import commitment_dataset
from pacs_ai.net.commitment_dataset import CommitmentReport, SopReference
from pacs_ai.net.contexts import (
    COMMITMENT_PUSH,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    VERIFICATION,
)
from pacs_ai.net.dimse import Command, Element, Field, encode_request, encode_response, short
from pacs_ai.net.faults import ProtocolViolation
from pacs_ai.net.scu.associate import PeerAddress, associate
from pacs_ai.net.scu.c_find import Search, TooManyMatches, searching
from pacs_ai.net.scu.c_get import get_study
from pacs_ai.net.scu.c_move import move_study
from pacs_ai.net.scu.c_store import StoreOutcome, Withheld, store
from pacs_ai.net.scu.kept_associations import KeptAssociations
from pacs_ai.net.scu.message_reader import Message
from pacs_ai.net.scu.negotiation import AgreedContext, Login, Proposal
from pacs_ai.net.scu.retrieval import Transferred
from pacs_ai.net.status import Status
from pacs_ai.net.tls import ClientTls

__all__ = [
    "ClientTls",
    "KeptAssociations",
    "Login",
    "PeerAddress",
    "Search",
    "StoreOutcome",
    "TooManyMatches",
    "Transferred",
    "Withheld",
    "echo",
    "get_study",
    "move_study",
    "report_commitment",
    "request_commitment",
    "searching",
    "store",
]

_SYNTAXES = (EXPLICIT_LITTLE, IMPLICIT_LITTLE)


def echo(peer: PeerAddress, calling_aet: str, timeout: float = 30) -> bytes | None:
    """Verify that a peer answers (C-ECHO, PS3.4 Annex A).

    Returns
    -------
    bytes or None
        The certificate of the peer, DER encoded; None without TLS.

    Raises
    ------
    PeerError
        If it does not, or not with success; see the subclasses.
    """
    with associate(
        peer, calling_aet, [Proposal(VERIFICATION, (IMPLICIT_LITTLE,))], timeout
    ) as association:
        command = encode_request(Field.C_ECHO, association.next_id(), VERIFICATION)
        _check(peer, "C-ECHO", association.ask(association.contexts[0], command))
        return association.certificate


def request_commitment(
    peer: PeerAddress,
    calling_aet: str,
    transaction_uid: str,
    references: Sequence[SopReference],
    wait_seconds: float,
    timeout: float = 30,
) -> CommitmentReport | None:
    """Ask a peer whether it keeps the instances it was sent (N-ACTION, PS3.4 Annex J.3.2).

    Parameters
    ----------
    transaction_uid
        The peer's report names it, on whichever association it comes.
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
    reports: list[CommitmentReport] = []

    def take(context: AgreedContext, request: Message) -> bytes:
        status = Status.PROCESSING_FAILURE
        if request.command.number(Element.FIELD) == Field.N_EVENT_REPORT:
            report = _read(request.dataset, context)
            if report is not None and report.transaction_uid == transaction_uid:
                reports.append(report)
                status = Status.SUCCESS
        event = short(Element.EVENT_TYPE, request.command.number(Element.EVENT_TYPE) or 0)
        return encode_response(request.command, Field.N_EVENT_REPORT, status, extra=event)

    dataset = commitment_dataset.request_dataset(transaction_uid, references)
    proposals = [Proposal(COMMITMENT_PUSH, _SYNTAXES)]
    with associate(peer, calling_aet, proposals, timeout, take) as association:
        context = association.contexts[0]
        command, encoded = commitment_dataset.encode_message(
            Field.N_ACTION,
            association.next_id(),
            commitment_dataset.REQUEST_ACTION,
            dataset,
            context.transfer_syntax,
        )
        _check(peer, "N-ACTION", association.ask(context, command, [encoded]))
        association.listen(wait_seconds, lambda: bool(reports))
    return reports[0] if reports else None


def _read(dataset: bytes, context: AgreedContext) -> CommitmentReport | None:
    try:
        return commitment_dataset.read_report(
            commitment_dataset.decode(dataset, context.transfer_syntax)
        )
    except NotDicom:
        return None


def report_commitment(
    peer: PeerAddress, calling_aet: str, report: CommitmentReport, timeout: float = 30
) -> None:
    """Deliver our report on a new association (N-EVENT-REPORT, PS3.4 Annex J.3.3).

    Raises
    ------
    PeerError
        If it did not get through, or was refused.
    """
    event_type, dataset = commitment_dataset.report_dataset(report)
    proposals = [Proposal(COMMITMENT_PUSH, _SYNTAXES, serves=True)]
    with associate(peer, calling_aet, proposals, timeout) as association:
        context = association.contexts[0]
        command, encoded = commitment_dataset.encode_message(
            Field.N_EVENT_REPORT,
            association.next_id(),
            event_type,
            dataset,
            context.transfer_syntax,
        )
        _check(peer, "N-EVENT-REPORT", association.ask(context, command, [encoded]))


def _check(peer: PeerAddress, operation: str, answer: Command) -> None:
    if answer.status is None:
        raise ProtocolViolation(f"{peer.name} answers {operation} without a status")
    if answer.status != Status.SUCCESS:
        raise PeerError(f"{peer.name}: {operation} answered 0x{answer.status:04X}")
