"""TLS after BCP 195 (RFC 9325; PS3.15 Section B.12): 1.2 and 1.3, ECDHE, AEAD, nothing else."""

import ssl
from pathlib import Path

from pacs_ai.errors import ConfigError
from pacs_ai.net.settings import TlsFiles

_TLS12_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""RFC 9325 Section 4.2, in OpenSSL's words; the suites of TLS 1.3 all qualify."""


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Make the listener's context; with ``ca`` a client must show a certificate.

    Raises
    ------
    ConfigError
        If a file cannot be read, is no PEM, or key and certificate do not fit.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, files.certificate, files.key)
    if files.ca is not None:
        _trust(context, files.ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(
    ca: Path, certificate: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """Make the context for a peer that speaks TLS.

    Parameters
    ----------
    ca
        Authorities that may have signed the peer's certificate; its host name is checked.
    certificate, key
        What to show if the peer asks who we are.

    Raises
    ------
    ConfigError
        If a file cannot be used.
    """
    context = _context(ssl.PROTOCOL_TLS_CLIENT, certificate, key)
    _trust(context, ca)
    return context


def _context(protocol: int, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_TLS12_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if certificate is not None:
        try:
            context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"cannot use TLS certificate {certificate}: {error}") from error
    return context


def _trust(context: ssl.SSLContext, ca: Path) -> None:
    try:
        context.load_verify_locations(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"cannot use TLS authorities {ca}: {error}") from error
