"""Where peers are and how they want to be spoken to; and where the node itself can be asked."""

import ipaddress

from pacs_ai.config import Config, DimsePeer
from pacs_ai.net.scu import client
from pacs_ai.net.scu.client import ClientTls, Login, PeerAddress
from pacs_ai.net.scu.pdu_stream import TlsEnded

_ANY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not bound to
"""Where a node that listens on every address can be reached from its own machine."""


def address(config: Config, peer: DimsePeer) -> PeerAddress:
    """Return the address of a configured peer.

    With TLS, what the peer's section leaves out is taken from ``[tls]``: a node usually has one
    certificate, and one set of authorities.
    """
    login = None if peer.user is None else Login(peer.user, peer.passcode_file)
    return PeerAddress(peer.ae_title, peer.host, peer.port, _tls(config, peer), login)


def _tls(config: Config, peer: DimsePeer) -> ClientTls | None:
    if not peer.tls:
        return None
    own = config.tls
    ca = own.ca if peer.ca is None else peer.ca
    if peer.certificate is not None:
        return ClientTls(ca, peer.certificate, peer.key)
    return ClientTls(ca, own.certificate, own.key)


def own_addresses(config: Config) -> list[PeerAddress]:
    """Return where this node itself answers, if it runs: its plain port, its TLS port, or both."""
    node, tls = config.node, config.tls
    host = _ANY.get(node.host, node.host)
    found = []
    if tls.certificate is None or tls.plain:
        found.append(PeerAddress(node.ae_title, host, node.port))
    if tls.certificate is not None:
        itself = ClientTls(certificate=tls.certificate, key=tls.key, itself=True)
        found.append(PeerAddress(node.ae_title, host, tls.port, itself))
    return found


def ask_whether_there(where: PeerAddress, calling_aet: str, timeout: float) -> None:
    """Ask a peer, or this node itself, by C-ECHO.

    A node that asks callers for certificates may not take its own for a caller's, if that is
    only for servers. It has shown then that it is the node, and that it is there.

    Raises
    ------
    PeerError
        If it does not answer as it should.
    """
    try:
        client.echo(where, calling_aet, timeout=timeout)
    except TlsEnded:
        if where.tls is None or not where.tls.itself:
            raise


def as_own(config: Config, other: PeerAddress) -> PeerAddress:
    """Return an address with what is needed to speak to it, where it is the node's own."""
    titles = (config.node.ae_title, *config.node.other_ae_titles)
    for own in own_addresses(config):
        same_host = other.host == own.host or _is_loopback(other.host)
        if other.ae_title in titles and other.port == own.port and same_host:
            return PeerAddress(other.ae_title, other.host, other.port, own.tls)
    return other


def takes_tls_only(config: Config) -> bool:
    """Tell whether the node takes nothing in clear text, and so sends nothing so."""
    return config.tls.certificate is not None and not config.tls.plain


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
