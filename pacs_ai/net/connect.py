"""Open a connection to a peer, in clear text or by TLS."""

import socket
import ssl
from typing import overload

from pacs_ai.errors import PeerUnreachable
from pacs_ai.net.tls import ClientTls, secure


@overload
def connect(host: str, port: int, tls: ClientTls, name: str, timeout: float) -> ssl.SSLSocket: ...
@overload
def connect(
    host: str, port: int, tls: ClientTls | None, name: str, timeout: float
) -> socket.socket: ...
def connect(
    host: str, port: int, tls: ClientTls | None, name: str, timeout: float
) -> socket.socket:
    """Connect, and agree on TLS.

    Parameters
    ----------
    tls
        Which authorities to trust, and what to show; None for clear text.
    name
        What errors call the peer.
    timeout
        Seconds for the connection, and for each step of the handshake.

    Raises
    ------
    PeerUnreachable
        If there is no connection in time.
    TlsFailed
        If TLS is not agreed.
    """
    try:
        sock = socket.create_connection((host, port), timeout)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise PeerUnreachable(f"{name} cannot be reached: {reason}") from error
    if tls is None:
        return sock
    try:
        return secure(sock, tls, host, name)
    except TimeoutError as error:
        sock.close()
        raise PeerUnreachable(f"{name} does not answer the TLS handshake") from error
    except BaseException:
        sock.close()
        raise
