"""Associations that the node requests: one thread, one request at a time, and a time limit."""

import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from pacs_ai.errors import (
    AssociationAborted,
    AssociationRejected,
    ContextRejected,
    PeerError,
    PeerUnreachable,
)
from pacs_ai.net.dimse import RESPONSE, Command, Element, encode_response
from pacs_ai.net.faults import ProtocolViolation
from pacs_ai.net.pdu import RELEASE_RP, RELEASE_RQ, USER_ABORT, PduType, abort, fragments, message
from pacs_ai.net.scu.message_reader import Message, MessageReader
from pacs_ai.net.scu.negotiation import (
    Acceptance,
    AgreedContext,
    Login,
    Proposal,
    decode_acceptance,
    encode_request,
    rejection,
)
from pacs_ai.net.scu.pdu_stream import PduStream
from pacs_ai.net.status import Status
from pacs_ai.net.tls import ClientTls, secure

_RELEASE_SECONDS = 5.0
"""For the answer to our release; no result depends on it any more."""
_MAX_MESSAGE_ID = 0xFFFF
_LARGEST = 128 << 10
"""Bytes of the largest P-DATA-TF that we send: larger ones need memory and are not faster."""


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


Serve = Callable[[AgreedContext, Message], bytes]
"""Performs a request of the peer on our association; returns the encoded response."""


class RequestedAssociation:
    """An association that we requested.

    Attributes
    ----------
    contexts
        The accepted presentation contexts.
    all_sent
        Whether the last request was sent to its last byte.

    Parameters
    ----------
    stream
        The connection.
    acceptance
        What the peer accepted.
    timeout
        Seconds for the peer to take anything that is sent, and to answer.
    serve
        Performs requests of the peer; None refuses them.
    """

    def __init__(
        self, stream: PduStream, acceptance: Acceptance, timeout: float, serve: Serve | None
    ) -> None:
        self.contexts = acceptance.contexts
        self.all_sent = False
        self._stream = stream
        self._timeout = timeout
        self._serve = serve
        self._max_pdu = min(acceptance.max_pdu or _LARGEST, _LARGEST)
        self._reader = MessageReader(stream.name)
        self._last_id = 0

    @property
    def certificate(self) -> bytes | None:
        """The certificate that the peer has shown, DER encoded; None without TLS."""
        return self._stream.certificate

    def next_id(self) -> int:
        """Return the message id for the next request."""
        self._last_id = self._last_id % _MAX_MESSAGE_ID + 1
        return self._last_id

    def ask(
        self,
        context: AgreedContext,
        command: bytes,
        dataset: Iterable[bytes] = (),
        more_seconds: float = 0,
    ) -> Command:
        """Send a request and wait for its response.

        Parameters
        ----------
        context
            One of `contexts`.
        command
            Encoded command set, with the last id of `next_id`.
        dataset
            The data set in pieces.
        more_seconds
            What the answer is given on top of the usual time.

        Raises
        ------
        PeerError
            If the association ends before, or the peer does not answer in time.
        """
        self.all_sent = False
        self._stream.send(message(context.id, command, None, self._max_pdu), self._timeout)
        for piece in fragments(context.id, dataset, self._max_pdu):
            self._stream.send(piece, self._timeout)
        self.all_sent = True
        return self._response(time.monotonic() + self._timeout + more_seconds)

    def _response(self, deadline: float) -> Command:
        """Wait for the response to the last request; others may come before it."""
        other: int | None = None
        while True:
            try:
                got = self._message(deadline)
            except PeerUnreachable as error:
                if other is None:
                    raise
                text = f"{self._stream.name} answers message {other} instead of {self._last_id}"
                raise ProtocolViolation(text) from error
            answered = got.command.number(Element.ANSWERED_ID)
            if got.is_response and answered in (None, self._last_id):
                return got.command
            if got.is_response:
                other = answered

    def listen(self, seconds: float, enough: Callable[[], bool]) -> None:
        """Answer requests of the peer until ``enough``, for a number of seconds at most."""
        deadline = time.monotonic() + seconds
        with suppress(AssociationAborted, PeerUnreachable):
            while not enough():
                self._message(deadline)

    def release(self) -> None:
        """Release; a peer that closes the connection without an answer is fine."""
        with suppress(PeerError):
            self._stream.send(RELEASE_RQ, self._timeout)
            deadline = time.monotonic() + min(self._timeout, _RELEASE_SECONDS)
            while True:
                kind, _ = self._stream.receive(deadline)
                if kind is PduType.RELEASE_RP:
                    return
                if kind is PduType.RELEASE_RQ:  # both at once (PS3.8 Section 9.2.2, Sta9)
                    self._stream.send(RELEASE_RP, self._timeout)

    def _message(self, deadline: float) -> Message:
        """Return the peer's next message; if it is a request, it is answered by then."""
        while True:
            for got in self._reader.messages:
                if not got.is_response:
                    self._answer(got)
                return got
            kind, body = self._stream.receive(deadline)
            if kind is PduType.P_DATA:
                self._reader.take(body)
            elif kind is PduType.RELEASE_RQ:
                self._stream.send(RELEASE_RP, self._timeout)
                raise AssociationAborted(f"{self._stream.name} released before it had answered")
            else:
                raise ProtocolViolation(f"{self._stream.name} sends {kind.name} out of place")

    def _answer(self, request: Message) -> None:
        context = next((one for one in self.contexts if one.id == request.context_id), None)
        field_ = request.command.number(Element.FIELD)
        if context is None or field_ is None:
            raise ProtocolViolation(f"{self._stream.name} asks what it may not")
        if self._serve is None:
            status = Status.UNRECOGNIZED_OPERATION
            response = encode_response(request.command, field_ & ~RESPONSE, status)
        else:
            response = self._serve(context, request)
        self._stream.send(message(context.id, response, None, self._max_pdu), self._timeout)


@contextmanager
def associate(
    peer: PeerAddress,
    calling_aet: str,
    proposals: Sequence[Proposal],
    timeout: float,
    serve: Serve | None = None,
) -> Iterator[RequestedAssociation]:
    """Associate, and release at the end; abort if the end is an error.

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
    serve
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
    stream = PduStream(_connect(peer, timeout), peer.name)
    try:
        acceptance = _request(stream, peer, calling_aet, proposals, timeout)
        association = RequestedAssociation(stream, acceptance, timeout, serve)
        yield association
        association.release()
    except ProtocolViolation as violation:
        stream.abort(abort(violation.reason))
        raise
    except BaseException:
        stream.abort(USER_ABORT)
        raise
    finally:
        stream.close()


def _connect(peer: PeerAddress, timeout: float) -> socket.socket:
    try:
        sock = socket.create_connection((peer.host, peer.port), timeout)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise PeerUnreachable(f"{peer.name} cannot be reached: {reason}") from error
    if peer.tls is None:
        return sock
    try:
        return secure(sock, peer.tls, peer.host, peer.name)
    except TimeoutError as error:
        sock.close()
        raise PeerUnreachable(f"{peer.name} does not answer the TLS handshake") from error
    except BaseException:
        sock.close()
        raise


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
