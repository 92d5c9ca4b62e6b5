"""The bytes of one connection of the listener, used where they lie."""

import socket
from collections import deque
from struct import Struct
from typing import Protocol

from pacs_ai.net.faults import ConnectionCut, ConnectionGone
from pacs_ai.net.pdu import HEADER, PDV_HEADER

_FIRST_BUFFER = 16 << 10
_BUFFER = 1 << 20
"""Measured: a tenth faster than 256 KiB; the rest of a larger one is hardly ever used."""
_ROOM = 64 << 10
"""Below so much free space at its end the buffer starts anew: short receives cost most."""
_spare_buffers: deque[bytearray] = deque(maxlen=16)
"""To have the system provide and clear one costs as much as a small association does."""
_LENGTH = Struct(">L")
_PDV = Struct(">LBB")


class Spillable(Protocol):
    """Holds views into the buffer and must let go of them before it is written again."""

    def spill(self) -> None:
        """Write the views out."""
        ...


class ReceiveBuffer:
    """The bytes of one connection, in one buffer that headers and fragments are used in.

    Attributes
    ----------
    deadline
        Moment on the monotonic clock at which the watchdog cuts the connection.
    cut
        Set by other threads: whatever arrives from now on does not count.

    Parameters
    ----------
    sock
        Connected, blocking.
    deadline
        First deadline.
    """

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._buffer = bytearray(_FIRST_BUFFER)
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0
        self.holder: Spillable | None = None
        self.deadline = deadline
        self.cut = False

    def replace_socket(self, sock: socket.socket) -> None:
        """Go on with a wrapped socket, after a TLS handshake."""
        self._sock = sock

    def enlarge(self) -> None:
        """Take a larger buffer, once a peer has earned it by an association."""
        left = bytes(self._view[self._start : self._end])
        try:
            self._buffer = _spare_buffers.pop()
        except IndexError:
            self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._buffer[: len(left)] = left
        self._start, self._end = 0, len(left)

    def recycle(self) -> None:
        """Leave a larger buffer for the next association; nothing can be received any more."""
        if len(self._buffer) == _BUFFER:
            _spare_buffers.append(self._buffer)
        self._buffer = bytearray()
        self._view = memoryview(self._buffer)
        self._start = self._end = 0

    @property
    def empty(self) -> bool:
        """Tell whether the next byte must come from the socket."""
        return self._start == self._end

    def await_byte(self) -> None:
        """Wait until there is at least one byte."""
        if self._start == self._end:
            self._receive()

    def pdu_header(self) -> tuple[int, int]:
        """Return type and length of the next PDU."""
        self._need(HEADER)
        start = self._start
        self._start = start + HEADER
        length: int = _LENGTH.unpack_from(self._buffer, start + 2)[0]
        return self._buffer[start], length

    def pdv_header(self) -> tuple[int, int, int]:
        """Return item length, context id and message control header of the next PDV."""
        self._need(PDV_HEADER)
        start = self._start
        self._start = start + PDV_HEADER
        header: tuple[int, int, int] = _PDV.unpack_from(self._buffer, start)
        return header

    def take(self, count: int) -> bytes:
        """Return a copy of the next bytes; memory grows only with what has really arrived."""
        taken = bytearray()
        while len(taken) < count:
            taken += self.some(count - len(taken))
        return bytes(taken)

    def some(self, limit: int) -> memoryview:
        """Return between one and ``limit`` bytes, valid until the buffer's holder spills."""
        if self._start == self._end:
            self._receive()
        start = self._start
        self._start = stop = min(self._end, start + limit)
        return self._view[start:stop]

    def drop(self) -> None:
        """Forget what is there, then wait for more."""
        self._start = self._end
        self._receive()

    def _need(self, count: int) -> None:
        while self._end - self._start < count:
            self._receive()

    def _receive(self) -> None:
        if len(self._buffer) - self._end < _ROOM or self.holder is None:
            self._rewind()
        try:
            got = self._sock.recv_into(self._view[self._end :])
        except OSError as error:
            got = 0
            if not self.cut:
                raise ConnectionGone("connection broken") from error
        if self.cut:
            raise ConnectionCut("connection cut")
        if not got:
            raise ConnectionGone("connection closed")
        self._end += got

    def _rewind(self) -> None:
        """Move what is not used yet (less than a header) to the buffer's front."""
        if self.holder is not None:
            self.holder.spill()
        left = self._end - self._start
        self._buffer[:left] = self._buffer[self._start : self._end]
        self._start, self._end = 0, left
