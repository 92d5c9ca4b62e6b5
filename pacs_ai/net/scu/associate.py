"""How an association is requested: the connection, TLS, the request, and what the peer answers."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pacs_ai.errors import AssociationRejected, ContextRejected
from pacs_ai.net.connect import connect
from pacs_ai.net.faults import ProtocolViolation
from pacs_ai.net.pdu import PduType
from pacs_ai.net.scu.association import RequestedAssociation, Serve, aborted_on_error
from pacs_ai.net.scu.message_reader import BeginInstance
from pacs_ai.net.scu.negotiation import (
    Acceptance,
    Login,
    Proposal,
    decode_acceptance,
    encode_request,
    rejection,
)
from pacs_ai.net.scu.pdu_stream import PduStream
from pacs_ai.net.tls import ClientTls


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """Address and AE title of a peer, TLS and user identity."""

    ae_title: str
    host: str
    port: int
    tls: ClientTls | None = None
    login: Login | None = None

    @property
    def name(self) -> str:
        """What errors call the peer."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.ae_title} at {host}:{self.port}"


def request_association(
    peer: PeerAddress,
    calling_aet: str,
    proposals: Sequence[Proposal],
    timeout: float,
    serve: Serve | None = None,
    begin_instance: BeginInstance | None = None,
) -> RequestedAssociation:
    """Associate.

    Parameters
    ----------
    peer
        The peer.
    calling_aet
        Our AE title.
    proposals
        Presentation contexts, at most 128.
    timeout
        Seconds for the peer to accept the connection, to shake hands, to answer the request, to
        answer each message, and to take anything that is sent.
    serve, begin_instance
        As in `RequestedAssociation`.

    Raises
    ------
    PeerUnreachable
        If there is no connection, or no answer in time.
    TlsFailed
        If TLS is not agreed.
    AssociationRejected, AssociationAborted
        If the peer rejects or aborts.
    ContextRejected
        If it takes none of the contexts.
    ProtocolViolation
        If its answer breaks the protocol.
    """
    sock = connect(peer.host, peer.port, peer.tls, peer.name, timeout)
    stream = PduStream(sock, peer.name)
    with aborted_on_error(stream):
        acceptance = _request(stream, peer, calling_aet, proposals, timeout)
        return RequestedAssociation(stream, acceptance, timeout, serve, begin_instance)


@contextmanager
def associate(
    peer: PeerAddress,
    calling_aet: str,
    proposals: Sequence[Proposal],
    timeout: float,
    serve: Serve | None = None,
    begin_instance: BeginInstance | None = None,
) -> Iterator[RequestedAssociation]:
    """Associate, and release at the end; abort if the end is an error.

    Parameters and errors are those of `request_association`.
    """
    association = request_association(peer, calling_aet, proposals, timeout, serve, begin_instance)
    with association.aborted_on_error():
        yield association
        association.release()


def _request(
    stream: PduStream,
    peer: PeerAddress,
    calling_aet: str,
    proposals: Sequence[Proposal],
    timeout: float,
) -> Acceptance:
    """Send the request and read the answer."""
    credentials = None if peer.login is None else peer.login.credentials()
    stream.send(encode_request(peer.ae_title, calling_aet, proposals, credentials), timeout)
    kind, body = stream.receive(time.monotonic() + timeout)
    if kind is PduType.ASSOCIATE_RJ:
        raise AssociationRejected(f"{peer.name} rejects: {rejection(body)}")
    if kind is not PduType.ASSOCIATE_AC:
        raise ProtocolViolation(f"{peer.name} answers A-ASSOCIATE-RQ with {kind.name}")
    try:
        acceptance = decode_acceptance(body, proposals)
    except ProtocolViolation as violation:
        text = f"{peer.name} sends an A-ASSOCIATE-AC that cannot be read: {violation.message}"
        raise ProtocolViolation(text, violation.reason) from violation
    if not acceptance.contexts:
        why = "; ".join(acceptance.refusals) or "it answers none of them"
        raise ContextRejected(f"{peer.name} takes none of the presentation contexts: {why}")
    return acceptance
