"""The addresses of peers, with TLS and user, and those of the node itself."""

import ipaddress

from pacs_ai.config import Config, DimsePeer, TlsFiles, WebService
from pacs_ai.net.http.address import WebAddress
from pacs_ai.net.scu import client
from pacs_ai.net.scu.client import ClientTls, Login, PeerAddress
from pacs_ai.net.scu.pdu_stream import TlsEnded

_ANY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not bound to
"""The address for this machine of a node that listens on every address."""


def address(config: Config, peer: DimsePeer) -> PeerAddress:
    """Return the address of a configured peer.

    What a peer with TLS does not set is taken from ``[tls]``: a node usually has one certificate
    and one set of authorities.
    """
    login = None if peer.user is None else Login(peer.user, peer.passcode_file)
    tls = tls_files(config, peer) if peer.tls else None
    return PeerAddress(peer.ae_title, peer.host, peer.port, tls, login)


def web_address(config: Config, name: str, peer: WebService) -> WebAddress:
    """Return the address of what is spoken to by HTTP.

    Parameters
    ----------
    name
        Of its section: what errors call it.
    """
    return WebAddress(
        name,
        peer.url,
        tls_files(config, peer),
        peer.user,
        peer.password_file,
        peer.token_file,
        peer.timeout_seconds,
    )


def tls_files(config: Config, peer: DimsePeer | TlsFiles) -> ClientTls:
    """Return the files of TLS towards a peer; what it does not set is that of ``[tls]``."""
    own = config.tls
    ca = own.ca if peer.ca is None else peer.ca
    if peer.certificate is not None:
        return ClientTls(ca, peer.certificate, peer.key)
    return ClientTls(ca, own.certificate, own.key)


def own_addresses(config: Config) -> list[PeerAddress]:
    """Return the addresses of this node itself: its plain port, its TLS port, or both."""
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

    A node that asks callers for certificates may refuse its own one, if that is for servers only.
    By then it has shown that certificate, and so that it is the node and that it runs.

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
    """Return an address with the TLS settings for it, if it is one of this node."""
    titles = (config.node.ae_title, *config.node.other_ae_titles)
    for own in own_addresses(config):
        same_host = other.host == own.host or _is_loopback(other.host)
        if other.ae_title in titles and other.port == own.port and same_host:
            return PeerAddress(other.ae_title, other.host, other.port, own.tls)
    return other


def takes_tls_only(config: Config) -> bool:
    """Tell whether the node accepts TLS only, and so sends nothing in clear text unasked."""
    return config.tls.certificate is not None and not config.tls.plain


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
