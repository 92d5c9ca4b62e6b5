"""A connection that we opened, as a stream of PDUs (PS3.8 Section 9.3).

The socket never blocks: every wait has an end, whatever the peer does, and an A-ABORT is seen
while we still send. In TLS, too, where "something can be read" does not mean that there is data.
"""

import select
import socket
import ssl
import time
from contextlib import suppress
from struct import Struct

from pacs_ai.errors import AssociationAborted, PeerError, PeerUnreachable, TlsFailed
from pacs_ai.net import open_connections
from pacs_ai.net.faults import AbortReason, ConnectionGone, ProtocolViolation
from pacs_ai.net.pdu import HEADER, PduType
from pacs_ai.net.tls import tls_reason

_CHUNK = 64 << 10
_MAX_BODY = (1 << 20) + (64 << 10)
"""Longest PDU that is accepted: the announced size, and what some peers add to it."""
_LENGTH = Struct(">BxL")
_TLS_RECORDS = range(20, 24)
"""First bytes of the records of TLS (RFC 8446 Section 5.1)."""
_BUSY = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_LAST_WORD_SECONDS = 1.0
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)
"""Acknowledge at once, where the system (Linux) can be told to. DCMTK, and so Orthanc, writes an
answer in two pieces and sends the second one when the first is acknowledged, usually 40 ms later.
"""


class TlsEnded(TlsFailed):
    """The peer ended TLS after the handshake; in TLS 1.3 it refuses a certificate in this way.

    Look at its log, and at the certificate that it is shown.
    """


class NoAnswerInTime(PeerUnreachable):
    """The peer is connected and did not answer in time. See its log; its disk may be slow."""


class PduStream:
    """Sends and receives PDUs.

    Parameters
    ----------
    sock
        Connected, after the TLS handshake if there is one.
    name
        The peer, for errors.
    """

    def __init__(self, sock: socket.socket, name: str) -> None:
        self.name = name
        self._sock = sock
        self._arrived = bytearray()
        self._ended: PeerError | None = None
        sock.settimeout(0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        open_connections.opened(self)

    @property
    def peer_ip(self) -> str:
        """Address of the peer; "" if the connection is gone."""
        try:
            return str(self._sock.getpeername()[0])
        except OSError:
            return ""

    @property
    def certificate(self) -> bytes | None:
        """The certificate that the peer has shown, DER encoded; None without TLS."""
        sock = self._sock
        return sock.getpeercert(binary_form=True) if isinstance(sock, ssl.SSLSocket) else None

    def send(self, data: bytes | memoryview, seconds: float) -> None:
        """Send, unless the peer has ended the association.

        Raises
        ------
        PeerUnreachable
            If the peer does not take it all within so many seconds.
        AssociationAborted, ConnectionGone, TlsFailed
            If the peer ended the association.
        """
        deadline = time.monotonic() + seconds
        left = memoryview(data)
        self._look()
        while left:
            try:
                left = left[self._sock.send(left[:_CHUNK]) :]
            except _BUSY as busy:
                events = select.POLLIN
                if not isinstance(busy, ssl.SSLWantReadError):
                    events |= select.POLLOUT
                if not self._wait(events, deadline):
                    raise PeerUnreachable(f"{self.name} does not take what is sent") from None
                self._look()
            except OSError as error:
                self._look()
                raise self._broken(error) from error

    def receive(self, deadline: float) -> tuple[PduType, bytes]:
        """Wait for a PDU, until a time on the monotonic clock; return its type and body.

        Raises
        ------
        NoAnswerInTime
            If it does not come in time.
        AssociationAborted, ConnectionGone, TlsFailed
            If the peer ended the association.
        ProtocolViolation
            If its type is unknown, or it is longer than agreed.
        """
        while True:
            pdu = self._whole()
            if pdu is not None:
                if pdu[0] is PduType.ABORT:
                    raise self._aborted(pdu[1])
                return pdu
            if self._ended is not None:
                raise self._ended
            if not self._fill() and not self._wait(select.POLLIN, deadline):
                raise NoAnswerInTime(f"{self.name} does not answer in time")

    def is_silent(self) -> bool:
        """Tell whether the peer is connected and has sent nothing that was not received yet."""
        return not self._fill() and self._ended is None and not self._arrived

    def abort(self, data: bytes) -> None:
        """Send an A-ABORT if the socket takes it at once; `close` follows."""
        with suppress(PeerError):
            if self._ended is None:
                self.send(data, _LAST_WORD_SECONDS)

    def close(self) -> None:
        """Close the connection, whatever state it is in."""
        open_connections.closed(self)
        self._sock.close()

    def cut(self) -> None:
        """End it from another thread: a thread that waits on it gets `ConnectionGone`."""
        # The base method: the one of an SSL socket drops the session.
        with suppress(OSError):
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def _look(self) -> None:
        """Read what has arrived, without waiting; raise if it ends the association."""
        while self._ended is None and self._fill():
            if len(self._arrived) > 2 * _MAX_BODY:
                raise ProtocolViolation(f"{self.name} sends more than anybody asked for")
        kind, body = self._arrived[:1], bytes(self._arrived[HEADER : HEADER + 4])
        if kind == bytes((PduType.ABORT,)):
            raise self._aborted(body)
        if self._ended is not None:
            raise self._ended

    def _fill(self) -> bool:
        """Receive what is there; False if there is nothing, or the connection has ended."""
        try:
            if _QUICK_ACK is not None:  # the system forgets it
                self._sock.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
            data = self._sock.recv(_CHUNK)
        except _BUSY:
            return False
        except OSError as error:
            self._ended = self._broken(error)
            return False
        if not data:
            self._ended = ConnectionGone(f"{self.name} closed the connection")
            return False
        self._arrived += data
        return True

    def _whole(self) -> tuple[PduType, bytes] | None:
        """Return the first PDU of what has arrived, if it is complete."""
        if len(self._arrived) < HEADER:
            return None
        number, length = _LENGTH.unpack_from(self._arrived)
        if number not in tuple(PduType):
            hint = ": it seems to speak TLS" if number in _TLS_RECORDS else ""
            raise ProtocolViolation(
                f"{self.name} sends a PDU of unknown type {number}{hint}",
                AbortReason.UNRECOGNIZED_PDU,
            )
        if length > _MAX_BODY:
            raise ProtocolViolation(f"{self.name} sends a PDU longer than agreed")
        end = HEADER + length
        if len(self._arrived) < end:
            return None
        body = bytes(self._arrived[HEADER:end])
        del self._arrived[:end]
        return PduType(number), body

    def _wait(self, events: int, deadline: float) -> bool:
        """Wait until the socket is ready; False if the time has passed."""
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        poller = select.poll()
        try:
            poller.register(self._sock, events)
        except ValueError as error:
            raise ConnectionGone(f"{self.name}: the connection is closed") from error
        return bool(poller.poll(left * 1000))

    def _aborted(self, body: bytes) -> AssociationAborted:
        source, reason = (*body[2:4], 0, 0)[:2]
        who = "the peer" if source == 0 else "its upper layer"
        return AssociationAborted(f"{self.name} aborted the association ({who}, reason {reason})")

    def _broken(self, error: OSError) -> PeerError:
        if isinstance(error, ssl.SSLError):
            return TlsEnded(f"{self.name} ends TLS: {tls_reason(error)}")
        return ConnectionGone(f"{self.name}: the connection broke ({error.strerror or error})")
