"""One TCP connection with a deadline, and what other threads may do to end it."""

import ipaddress
import socket
import time
from contextlib import suppress

from pacs_ai.net.faults import ConnectionGone
from pacs_ai.net.scp.proxy_header import read_source
from pacs_ai.net.scp.rate_limited_log import limited_log
from pacs_ai.net.scp.receive_buffer import ReceiveBuffer
from pacs_ai.net.scp.states import Outcome
from pacs_ai.net.tls import ServerTls


def unmapped_address(address: str) -> str:
    """Write an IPv4 address as such, even if it came through an IPv6 socket."""
    parsed = ipaddress.ip_address(address)
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)


class Connection:
    """A socket with its receive buffer and its deadline.

    The connection's own thread blocks in reads and writes without a timeout, which costs no
    system call. The listener's watchdog compares ``buffer.deadline`` with the clock and cuts. So
    a deadline covers the whole of what it was set for, however slowly the bytes come.

    Parameters
    ----------
    sock
        Connected, blocking.
    peer_ip
        Address of the peer.
    first_seconds
        Seconds until the first deadline.
    tls
        For the TLS handshake; None for clear text.
    proxied
        Whether a header of a balancer comes first, which says who the peer is.
    """

    def __init__(
        self,
        sock: socket.socket,
        peer_ip: str,
        first_seconds: float,
        tls: ServerTls | None = None,
        *,
        proxied: bool = False,
    ) -> None:
        self.sock = sock
        self.peer_ip = peer_ip
        self.accepted_at = time.monotonic()
        self.buffer = ReceiveBuffer(sock, self.accepted_at + first_seconds)
        self.cut_by = Outcome.EXPIRED
        self._tls = tls
        self._proxied = proxied

    @property
    def local_ip(self) -> str:
        """Address of this machine that the peer has called; "" if the connection is gone."""
        try:
            return unmapped_address(self.sock.getsockname()[0])
        except OSError:
            return ""

    def handshake(self) -> None:
        """Do what comes before the first PDU, in the thread and within the deadline.

        That is the header of a balancer and the TLS handshake, each where there is one.

        Raises
        ------
        ConnectionGone
            If TLS is not agreed, the peer shows no certificate that we trust, or a balancer sends
            no header.
        """
        if self._proxied:
            self.peer_ip = unmapped_address(read_source(self.sock, self.peer_ip))
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
        """Wake the thread from a read; it can still send."""
        self.cut_by = outcome
        self.buffer.cut = True
        self._shutdown(socket.SHUT_RD)

    def kill(self) -> None:
        """Wake the thread from a write as well, where the peer does not read."""
        self.buffer.cut = True
        self._shutdown(socket.SHUT_RDWR)

    def send(self, data: bytes, seconds: float) -> None:
        """Send within a number of seconds.

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
        """Send no more; what the peer sends is still received."""
        self._shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close; with unread bytes of the peer the system sends a reset."""
        self.sock.close()
        self.buffer.recycle()

    def _shutdown(self, how: int) -> None:
        # The base method: the one of an SSL socket drops the session, and the thread would go on in
        # clear text. A closed connection needs no shutdown.
        with suppress(OSError):
            socket.socket.shutdown(self.sock, how)
