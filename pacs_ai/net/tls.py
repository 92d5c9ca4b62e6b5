"""TLS after BCP 195 (RFC 9325; PS3.15 Section B.12): 1.2 and 1.3, ECDHE, AEAD, nothing else."""

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pacs_ai.errors import ConfigError, TlsFailed
from pacs_ai.logs import get_logger
from pacs_ai.net.certificates import certificates

_TLS12_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""RFC 9325 Section 4.2, as OpenSSL writes it; all suites of TLS 1.3 are allowed."""

_log = get_logger()


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of a TLS listener.

    With ``ca`` set, a client must show a certificate that one of these authorities signed.
    """

    certificate: Path
    key: Path
    ca: Path | None = None


@dataclass(frozen=True, slots=True)
class ClientTls:
    """PEM files of TLS towards a peer.

    Attributes
    ----------
    ca
        Authorities that may have signed the peer's certificate, or the certificate itself; None
        for those that the system trusts.
    certificate, key
        What to show if the peer asks for a certificate; without ``key`` the file holds it as well.
    itself
        The peer is this node: its certificate is ``certificate``, and neither its authority nor
        its age matters.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    itself: bool = False


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Make the listener's context; with ``ca`` a client must show a certificate.

    One that only the node itself can show, its own, is accepted too: that is how it asks itself
    whether it is well.

    Raises
    ------
    ConfigError
        If a file cannot be read, is no PEM, or key and certificate do not belong together.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, files.certificate, files.key)
    if files.ca is not None:
        _trust(context, files.ca)
        # The first of the chain, and not the authorities that may follow it in the file.
        for own in tuple(certificates(files.certificate))[:1]:
            context.load_verify_locations(cadata=own)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class ServerTls:
    """The listener's context, made again when one of its files changes.

    Parameters
    ----------
    files
        Its files.

    Raises
    ------
    ConfigError
        If they cannot be used now.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._lock = threading.Lock()
        self._stamp = self._read_stamp()
        self._context = server_context(files)

    def current(self) -> ssl.SSLContext:
        """Return the context for a new connection.

        While files do not belong together, as during a renewal, the old one stays in use.
        """
        stamp = self._read_stamp()
        with self._lock:
            if stamp != self._stamp:
                try:
                    self._context = server_context(self._files)
                except ConfigError as error:
                    _log.warning("TLS certificate not renewed", error=error.message)
                else:
                    self._stamp = stamp
                    _log.info("TLS certificate renewed")
            return self._context

    def _read_stamp(self) -> tuple[tuple[int, int, int] | None, ...]:
        files = (self._files.certificate, self._files.key, self._files.ca)
        return tuple(None if file is None else _stamp(file) for file in files)


def _stamp(file: Path) -> tuple[int, int, int] | None:
    """Return a value that changes with a file, also where it is replaced or a link is moved."""
    try:
        state = file.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size, state.st_ino


def client_context(files: ClientTls) -> ssl.SSLContext:
    """Make the context for a peer that speaks TLS; see `check_peer` for its name.

    Raises
    ------
    ConfigError
        If a file cannot be used.
    """
    context = _context(ssl.PROTOCOL_TLS_CLIENT, files.certificate, files.key)
    context.check_hostname = False  # `check_peer` does, and knows certificates without a name
    if files.itself:
        context.verify_mode = ssl.CERT_NONE
    elif files.ca is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _trust(context, files.ca)
    return context


def secure(sock: socket.socket, files: ClientTls, host: str, name: str) -> ssl.SSLSocket:
    """Do the TLS handshake with a peer, with the files as they are now.

    Parameters
    ----------
    sock
        Connected, with the time limit of the handshake as its timeout.
    files
        Which authorities to trust, and what to show.
    host
        Host that the peer's certificate must be for.
    name
        The peer, for errors.

    Raises
    ------
    TlsFailed
        If our files cannot be used, the peer does not speak TLS as we do, or its certificate is
        not trusted, has expired, or is somebody else's.
    TimeoutError
        If it takes too long.
    """
    try:
        context = client_context(files)
    except ConfigError as error:
        raise TlsFailed(f"{name}: {error.message}") from error
    try:
        secured = context.wrap_socket(sock, server_hostname=host)
    except TimeoutError:
        raise
    except ssl.SSLCertVerificationError as error:
        raise TlsFailed(f"{name}: its certificate is refused: {error.verify_message}") from error
    except (OSError, ValueError) as error:
        raise TlsFailed(f"{name}: no TLS session: {tls_reason(error)}") from error
    try:
        check_peer(secured, files, host, name)
    except TlsFailed:
        secured.close()
        raise
    return secured


def check_peer(secured: ssl.SSLSocket, files: ClientTls, host: str, name: str) -> None:
    """Check that the peer's certificate, which is trusted, is for its host (RFC 9525).

    A certificate that stands in ``ca`` itself can be nobody else's: its names do not matter.

    Raises
    ------
    TlsFailed
        If it is for other hosts.
    """
    certificate = secured.getpeercert(binary_form=True)
    if files.itself:
        own = () if files.certificate is None else tuple(certificates(files.certificate))
        if certificate not in own[:1]:
            raise TlsFailed(f"{name}: its certificate is not the one in {files.certificate}")
        return
    if files.ca is not None and certificate in tuple(certificates(files.ca)):
        return
    names = tuple(_names(secured.getpeercert() or {}))
    if not any(_fits(one, host) for one in names):
        known = ", ".join(names) or "no host"
        raise TlsFailed(f"{name}: its certificate is for {known}, not for {host}")


def tls_reason(error: Exception) -> str:
    """Return what went wrong, as OpenSSL puts it."""
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None)
    return str(reason or type(error).__name__).lower().replace("_", " ")


def _names(certificate: dict[str, Any]) -> Iterator[str]:
    """Give the hosts that a certificate is for; its common name counts where there are none."""
    alternatives = certificate.get("subjectAltName", ())
    for kind, value in alternatives:
        if kind in ("DNS", "IP Address"):
            yield str(value).strip()
    if not alternatives:
        for part in certificate.get("subject", ()):
            yield from (value for kind, value in part if kind == "commonName")


def _fits(pattern: str, host: str) -> bool:
    """Tell whether a name of a certificate is a host's (RFC 9525 Section 6.3)."""
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        return ipaddress.ip_address(pattern) == address
    pattern, host = pattern.lower().rstrip("."), host.lower().rstrip(".")
    if pattern.startswith("*."):
        return pattern[2:] == host.partition(".")[2] != ""
    return pattern == host


def _context(protocol: int, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_TLS12_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if certificate is not None:
        _show(context, certificate, key or certificate)
    return context


def _show(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    def locked() -> str:  # instead of OpenSSL's own question at the terminal
        raise ConfigError(f"the TLS key {key} is protected by a passphrase")

    if not _certificates_of(certificate, "certificate"):
        raise ConfigError(f"TLS certificate {certificate}: there is no PEM certificate in it")
    _check_readable(key, "key")
    try:
        context.load_cert_chain(certificate, key, locked)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigError(f"the TLS key {key} is not that of {certificate}") from error
        raise ConfigError(
            f"cannot use TLS certificate {certificate} with the key {key}: one of them is damaged,"
            " or no PEM file"
        ) from error


def _trust(context: ssl.SSLContext, ca: Path) -> None:
    if not _certificates_of(ca, "authorities"):
        raise ConfigError(f"TLS authorities {ca}: there is no PEM certificate in it")
    try:
        context.load_verify_locations(cafile=ca)
    except ssl.SSLError as error:
        raise ConfigError(f"TLS authorities {ca}: a certificate in it is damaged") from error


def _check_readable(path: Path, what: str) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        reason = str(error.strerror).lower()
        raise ConfigError(f"TLS {what} {path}: cannot be read ({reason})") from error


def _certificates_of(path: Path, what: str) -> tuple[bytes, ...]:
    _check_readable(path, what)
    return tuple(certificates(path))
