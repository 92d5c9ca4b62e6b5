"""The header in which a balancer tells whom it speaks for: PROXY protocol, version 2.

Source: https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt, Section 2.2. The header comes
before all else on the connection, also before the TLS handshake.
"""

import ipaddress
import socket
import struct
from collections.abc import Sequence

from pacs_ai.net.faults import ConnectionGone
from pacs_ai.net.scp.rate_limited_log import limited_log

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED = struct.Struct(">12sBBH")
_LOCAL, _PROXY = 0x20, 0x21
_ADDRESS_BYTES = {0x11: 4, 0x21: 16}
"""Bytes of the source's address, by family and protocol: TCP over IPv4, TCP over IPv6."""
_MOST = 4096
"""Bytes after the fixed part; addresses and the usual extensions take a few hundred."""


def is_balancer(address: str, balancers: Sequence[str]) -> bool:
    """Tell whether an address is one of ``node.balancers``: addresses and networks."""
    parsed = ipaddress.ip_address(address)
    return any(parsed in ipaddress.ip_network(one, strict=False) for one in balancers)


def read_source(sock: socket.socket, balancer: str) -> str:
    """Read the header from a connection.

    Returns
    -------
    str
        Address of who has connected with the balancer; the balancer's own if it speaks for itself,
        or does not say.

    Raises
    ------
    ConnectionGone
        If there is no such header.
    """
    try:
        fixed = sock.recv(_FIXED.size, socket.MSG_WAITALL)
        if not fixed:
            raise ConnectionGone("a balancer looked whether the node listens")
        if len(fixed) < _FIXED.size:
            raise ConnectionGone("connection broken")
        signature, command, family, length = _FIXED.unpack(fixed)
        if signature != SIGNATURE or command not in (_LOCAL, _PROXY) or length > _MOST:
            limited_log.warning("balancer sends no header", peer=balancer)
            raise ConnectionGone("no header of a balancer")
        rest = sock.recv(length, socket.MSG_WAITALL) if length else b""
    except OSError as error:
        raise ConnectionGone("connection broken") from error
    size = _ADDRESS_BYTES.get(family, 0)
    if len(rest) < length or (command == _PROXY and length < size):
        raise ConnectionGone("connection broken")
    if command == _LOCAL or not size:
        return balancer
    return str(ipaddress.ip_address(rest[:size]))
