"""Messages of HL7 version 2 to a receiver by MLLP, each with its acknowledgement.

A message stands between VT and FS CR (HL7 MLLP release 1). The answer is a message with a segment
MSA: MSA-1 says what became of ours, MSA-2 is the control id of ours (HL7 v2.5.1, 2.9.2).
"""

import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from pacs_ai.errors import PeerUnreachable
from pacs_ai.net import open_connections
from pacs_ai.net.connect import connect
from pacs_ai.net.tls import ClientTls, tls_reason

_BEGIN, _END = b"\x0b", b"\x1c\r"
_SEGMENT = b"\r"
_FIELD = b"|"
_MOST_BYTES = 1 << 20
"""Longest answer."""
_PIECE = 64 << 10
_CONTROL_ID = 9
"""Place of MSH-10: MSH-1 is the separator itself."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What the receiver says: ``code`` is MSA-1, ``text`` is MSA-3 without what may name a patient.

    AA and CA: taken. AE and CE: it objects to the message. AR and CR: it cannot take it now.
    """

    code: str


class MllpConnection:
    """A connection to a receiver; a context manager.

    Parameters
    ----------
    name
        What errors call the receiver.
    host, port
        Where it is.
    tls
        Which authorities to trust and what to show; None for clear text.
    timeout
        Seconds for the connection, and for each answer.

    Raises
    ------
    PeerUnreachable
        If there is no connection in time.
    TlsFailed
        If TLS is not agreed.
    """

    def __init__(
        self, name: str, host: str, port: int, tls: ClientTls | None, timeout: float
    ) -> None:
        self._name = name
        self._timeout = timeout
        self._arrived = b""
        self._socket = connect(host, port, tls, name, timeout)
        open_connections.opened(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        open_connections.closed(self)
        self._socket.close()

    def cut(self) -> None:
        """End it from another thread."""
        with suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def send(self, message: bytes) -> None:
        """Send a message.

        Raises
        ------
        PeerUnreachable
            If the receiver does not take it in time.
        """
        try:
            self._socket.settimeout(self._timeout)
            self._socket.sendall(_BEGIN + message + _END)
        except OSError as error:
            raise self._lost(error) from error

    def acknowledgement(self, message: bytes) -> Acknowledgement:
        """Wait for the answer to a message; what answers another one is passed over.

        Raises
        ------
        PeerUnreachable
            If it does not come in time, or the receiver ends the connection.
        """
        deadline = time.monotonic() + self._timeout
        while True:
            found = _read(self._frame(deadline), control_id(message))
            if found is not None:
                return found

    def _frame(self, deadline: float) -> bytes:
        while _END not in self._arrived:
            left = deadline - time.monotonic()
            if left <= 0 or len(self._arrived) > _MOST_BYTES:
                raise PeerUnreachable(f"{self._name} does not acknowledge in time")
            try:
                self._socket.settimeout(left)
                piece = self._socket.recv(_PIECE)
            except OSError as error:
                raise self._lost(error) from error
            if not piece:
                raise PeerUnreachable(f"{self._name} has closed the connection")
            self._arrived += piece
        frame, _, self._arrived = self._arrived.partition(_END)
        return frame.lstrip(b"\r\n").removeprefix(_BEGIN)

    def _lost(self, error: OSError) -> PeerUnreachable:
        if isinstance(error, TimeoutError):
            return PeerUnreachable(f"{self._name} does not answer in time")
        if isinstance(error, ssl.SSLError):
            return PeerUnreachable(f"{self._name} ends TLS: {tls_reason(error)}")
        return PeerUnreachable(f"{self._name}: {error.strerror or error}")


def control_id(message: bytes) -> bytes:
    """Return MSH-10 of a message; nothing if it has none."""
    fields = message.partition(_SEGMENT)[0].split(_FIELD)
    return fields[_CONTROL_ID] if len(fields) > _CONTROL_ID else b""


def _read(answer: bytes, control: bytes) -> Acknowledgement | None:
    """Read an answer; None if it is none to the message with this control id."""
    segments = answer.replace(b"\n", _SEGMENT).split(_SEGMENT)
    fields = next((one.split(_FIELD) for one in segments if one.startswith(b"MSA|")), [])
    if [one.strip() for one in fields[2:3]] != [control]:
        return None
    return Acknowledgement(fields[1].decode("ascii", "replace").strip().upper())
