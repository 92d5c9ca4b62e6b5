"""Associations that we request, by pynetdicom, with its logs kept quiet and its waits bounded."""

import logging
import socket
import ssl
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

from pydicom.uid import UID
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import DimseServiceType
from pynetdicom.events import EventHandlerType
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.transport import AddressInformation, AssociationSocket

from pacs_ai.errors import AssociationRejected, ContextRejected, PeerError, PeerUnreachable
from pacs_ai.net.identity import IMPLEMENTATION_VERSION
from pacs_ai.uids import IMPLEMENTATION_CLASS_UID

MAX_CONTEXTS = 128
"""Odd numbers between 1 and 255 (PS3.8 Section 9.3.2.2)."""

_MAX_PDU = 1 << 20

# Its defaults print requests, responses and whole data sets; files are to go out as they are.
_config.LOG_REQUEST_IDENTIFIERS = False
_config.LOG_RESPONSE_IDENTIFIERS = False
_config.LOG_HANDLER_LEVEL = "none"
_config.STORE_SEND_CHUNKED_DATASET = True
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """Where a peer is and what it is called; ``tls`` if it is to be spoken to so."""

    ae_title: str
    host: str
    port: int
    tls: ssl.SSLContext | None = field(default=None, repr=False)


class _Entity(AE):
    """Keeps its socket, which pynetdicom forgets to close where no association comes about."""

    _socket: socket.socket | None = None
    _tls: ssl.SSLContext | None = None

    def _create_socket(
        self,
        assoc: Association,
        address: AddressInformation,
        tls_args: tuple[ssl.SSLContext, str] | None,
    ) -> AssociationSocket:
        wrapper = super()._create_socket(assoc, address, None)
        self._socket = wrapper.socket
        if tls_args is not None:
            self._tls, host = tls_args
            wrapper.tls_args = (cast("ssl.SSLContext", self), host)
        return wrapper

    def wrap_socket(self, sock: socket.socket, **options: object) -> socket.socket:
        """Stand in for the context, which is asked for this and nothing else."""
        tls = cast("ssl.SSLContext", self._tls)
        self._socket = tls.wrap_socket(sock, **options)  # type: ignore[arg-type]
        return self._socket

    def close_socket(self) -> None:
        """Close the connection, whatever state it was left in."""
        if self._socket is not None:
            self._socket.close()


@contextmanager
def association(
    peer: PeerAddress,
    calling_aet: str,
    contexts: Sequence[PresentationContext],
    timeout: float,
    *,
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
    handlers: Sequence[EventHandlerType] = (),
) -> Iterator[Association]:
    """Associate, and release at the end; abort if the end is an error.

    Parameters
    ----------
    peer
        Whom to call.
    calling_aet
        What to call ourselves.
    contexts
        What to propose, at most 128.
    timeout
        Seconds for the peer to accept the connection, to answer the request, to answer each
        message, and to take or send anything at all.
    roles
        Role selection items.
    handlers
        Of pynetdicom's events.

    Raises
    ------
    PeerUnreachable
        If there is no connection, or no answer in time.
    AssociationRejected
        If the peer says no.
    ContextRejected
        If it takes none of the contexts.
    """
    entity = _Entity(calling_aet)
    entity.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    entity.implementation_version_name = IMPLEMENTATION_VERSION
    entity.connection_timeout = entity.acse_timeout = timeout
    entity.dimse_timeout = timeout
    # All our waits are bounded; an idle timer would cut the wait for a commitment report, too.
    entity.network_timeout = None
    made = entity.associate(
        peer.host,
        peer.port,
        contexts=list(contexts),
        ae_title=peer.ae_title,
        max_pdu=_MAX_PDU,
        ext_neg=list(roles),
        tls_args=None if peer.tls is None else (peer.tls, peer.host),
        evt_handlers=[(evt.EVT_CONN_OPEN, _prepare, [timeout]), *handlers],
    )
    try:
        if not made.is_established:
            raise _failure(peer, made)
        _give_back_responses(made)
        yield made
        made.release()
    finally:
        if made.is_established:
            made.abort()
        entity.close_socket()


def _give_back_responses(made: Association) -> None:
    """Keep pynetdicom's reactor from dropping a response that somebody waits for.

    The reactor says that it is paused, looks whether it may go on, and only then says that it
    is not: a ``send_*`` that begins in between believes it paused, and the reactor takes the
    response as a stray request. It goes back to the queue, and the reactor pauses next.
    """
    serve = made._serve_request

    def only_requests(message: DimseServiceType, context_id: int) -> None:
        if message.is_valid_request:
            serve(message, context_id)
        else:
            made.dimse.msg_queue.put((context_id, message))

    setattr(made, "_serve_request", only_requests)  # noqa: B010 - replaces a method, on purpose


def context(sop_class_uid: str, transfer_syntax_uid: str) -> PresentationContext:
    """Make a context of one transfer syntax, so that the peer has no choice to make."""
    return build_context(UID(sop_class_uid), UID(transfer_syntax_uid))


def _prepare(event: evt.Event, timeout: float) -> None:
    """Send at once, and let no read or write block for ever.

    pynetdicom reads and writes whole PDUs on a blocking socket, which its own timers do not
    interrupt; an expired option shows as a broken connection.
    """
    wrapper = event.assoc.dul.socket
    if wrapper is None or wrapper.socket is None:
        return
    sock = wrapper.socket
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    limit = struct.pack("ll", int(timeout), int(timeout % 1 * 1e6))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


def _failure(peer: PeerAddress, made: Association) -> PeerError:
    """Say why there is no association."""
    name = f"{peer.ae_title} at {peer.host}:{peer.port}"
    answer = made.acceptor.primitive
    if made.is_rejected and answer is not None:
        return AssociationRejected(f"{name} rejects: {answer.reason_str}")
    if made.rejected_contexts and not made.accepted_contexts:
        return ContextRejected(f"{name} takes none of the presentation contexts")
    return PeerUnreachable(f"{name} cannot be reached or does not answer")
