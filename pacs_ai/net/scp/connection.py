"""One TCP connection as other threads see it: with a deadline, and ways to end it."""

import ipaddress
import socket
import time
from contextlib import suppress

from pacs_ai.net.faults import ConnectionGone
from pacs_ai.net.scp.rate_limited_log import limited_log
from pacs_ai.net.scp.receive_buffer import ReceiveBuffer
from pacs_ai.net.scp.states import Outcome
from pacs_ai.net.tls import ServerTls


def plain_address(address: str) -> str:
    """Write an IPv4 address as such, even if it came through an IPv6 socket."""
    parsed = ipaddress.ip_address(address)
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)


class Connection:
    """A socket, what was received on it, and until when it may go on.

    The connection's own thread blocks in reads and writes without a timeout, which costs no
    system call; `Watchdog` compares ``buffer.deadline`` with the clock and cuts. A deadline
    therefore covers all of what it was set for, however the bytes drip.

    Parameters
    ----------
    sock
        Connected, blocking.
    peer_ip
        Address of the peer.
    first_seconds
        Until the first deadline.
    tls
        To shake hands with first, None for clear text.
    """

    def __init__(
        self,
        sock: socket.socket,
        peer_ip: str,
        first_seconds: float,
        tls: ServerTls | None = None,
    ) -> None:
        self.sock = sock
        self.peer_ip = peer_ip
        self.accepted_at = time.monotonic()
        self.buffer = ReceiveBuffer(sock, self.accepted_at + first_seconds)
        self.cut_by = Outcome.EXPIRED
        self._tls = tls

    @property
    def local_ip(self) -> str:
        """Address of this machine that the peer has called; "" if it is gone."""
        try:
            return plain_address(self.sock.getsockname()[0])
        except OSError:
            return ""

    def handshake(self) -> None:
        """Shake hands where TLS is spoken, in this connection's own thread and time.

        Raises
        ------
        ConnectionGone
            If the peer does not speak TLS as we do, or shows no certificate that we trust.
        """
        if self._tls is None:
            return
        try:
            self.sock = secured = self._tls.current().wrap_socket(
                self.sock, server_side=True, do_handshake_on_connect=False
            )
            secured.do_handshake()
        except (OSError, ValueError) as error:
            limited_log.warning(
                "TLS handshake failed", peer=self.peer_ip, error=type(error).__name__
            )
            raise ConnectionGone("no TLS session") from error
        self.buffer.replace_socket(secured)

    def cut(self, outcome: Outcome) -> None:
        """Wake the thread from a read; what it says next may still go out."""
        self.cut_by = outcome
        self.buffer.cut = True
        self._shutdown(socket.SHUT_RD)

    def kill(self) -> None:
        """Wake the thread even from a write that the peer does not read."""
        self.buffer.cut = True
        self._shutdown(socket.SHUT_RDWR)

    def send(self, data: bytes, seconds: float) -> None:
        """Send, and have it done within so many seconds.

        Raises
        ------
        ConnectionGone
            If the peer is gone or does not read.
        """
        self.buffer.deadline = time.monotonic() + seconds
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise ConnectionGone("connection broken") from error

    def half_close(self) -> None:
        """Send no more; the peer sees the end and may still be heard."""
        self._shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close; bytes of the peer that were not read make it a reset."""
        self.sock.close()
        self.buffer.recycle()

    def _shutdown(self, how: int) -> None:
        # The base method: that of an SSL socket forgets the session, and would let the thread
        # go on in clear text. A connection that is closed already needs no shutdown.
        with suppress(OSError):
            socket.socket.shutdown(self.sock, how)
