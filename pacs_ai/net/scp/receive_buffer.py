"""The receive buffer of one connection: headers and fragments are read from it in place."""

import socket
from collections import deque
from struct import Struct
from typing import Protocol

from pacs_ai.net.faults import ConnectionCut, ConnectionGone
from pacs_ai.net.pdu import HEADER, PDV_HEADER

_FIRST_BUFFER = 16 << 10
_BUFFER = 1 << 20
"""Measured: a tenth faster than 256 KiB; a larger one is hardly ever filled."""
_ROOM = 64 << 10
"""With less free space at its end the buffer starts again, as short receives are the slowest."""
_spare_buffers: deque[bytearray] = deque(maxlen=16)
"""Allocating and clearing one takes as long as a small association."""
_LENGTH = Struct(">L")
_PDV = Struct(">LBB")


class Spillable(Protocol):
    """Holds views into the buffer, and must release them before it is overwritten."""

    def spill(self) -> None:
        """Write the views out and release them."""
        ...


class ReceiveBuffer:
    """The bytes of one connection, in one buffer.

    Attributes
    ----------
    deadline
        Time on the monotonic clock when the watchdog cuts the connection.
    cut
        Set by other threads: what arrives from now on is ignored.

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
        """Receive from a wrapped socket, after a TLS handshake."""
        self._sock = sock

    def enlarge(self) -> None:
        """Change to a larger buffer, once there is an association."""
        left = bytes(self._view[self._start : self._end])
        try:
            self._buffer = _spare_buffers.pop()
        except IndexError:
            self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._buffer[: len(left)] = left
        self._start, self._end = 0, len(left)

    def recycle(self) -> None:
        """Give a larger buffer back for the next association; nothing is received any more."""
        if len(self._buffer) == _BUFFER:
            _spare_buffers.append(self._buffer)
        self._buffer = bytearray()
        self._view = memoryview(self._buffer)
        self._start = self._end = 0

    @property
    def empty(self) -> bool:
        """Tell whether the buffer holds no byte."""
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
        """Return a copy of the next bytes; memory grows with what arrives, not with ``count``."""
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
        """Drop what the buffer holds, then wait for more."""
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
        """Move what is not used yet (less than a header) to the start of the buffer."""
        if self.holder is not None:
            self.holder.spill()
        left = self._end - self._start
        self._buffer[:left] = self._buffer[self._start : self._end]
        self._start, self._end = 0, left
