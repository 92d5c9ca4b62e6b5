"""TLS to and from peers, and how long the certificates in use are valid."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from pacs_ai.checks.files import PEM_REMEDY, readable_by_all
from pacs_ai.checks.finding import Finding, doubtful, guarded, wrong
from pacs_ai.config import Config, DimsePeer, TlsPeer
from pacs_ai.destinations.addresses import address, tls_files
from pacs_ai.net.certificates import certificates, valid_until
from pacs_ai.net.scu.client import ClientTls
from pacs_ai.net.tls import client_context
from pacs_ai.net.users import read_passcode

SOON = timedelta(days=30)
"""A certificate that is valid for less time should be renewed."""


def peers(config: Config) -> Iterator[Finding]:
    """Check what is shown to each peer and what it is trusted by: certificates, keys, passcodes."""
    for name, peer in config.dimse_peers.items():
        files = address(config, peer).tls
        if files is not None:
            yield from _tls(name, peer, files)
        if peer.passcode_file is not None:
            yield from _passcode(name, peer, peer.passcode_file)
    for name, other in _others(config):
        if other.speaks_tls:
            yield from _tls(name, other, tls_files(config, other))
        for key in ("password_file", "token_file", "secret_file"):
            path = getattr(other, key, None)
            if path is not None:
                yield _secret(f"peers.{name}.{key}", path)


def expiry(config: Config) -> Iterator[Finding]:
    """Check how long certificates are valid; a node with an expired one still starts."""
    for key, path in _certificate_files(config).items():
        yield _valid(key, path)


def certificate_ends(config: Config) -> dict[str, datetime]:
    """Return until when certificates are valid, by the key of the configuration that names them."""
    ends = {key: _end(key, path) for key, path in _certificate_files(config).items()}
    return {key: end for key, end in ends.items() if end is not None}


def _certificate_files(config: Config) -> dict[str, Path]:
    """Return the files with certificates, each under the first key that names it."""
    used = {config.tls.certificate: "tls.certificate", config.tls.ca: "tls.ca"}
    for name, peer in _peers_with_files(config):
        used.setdefault(peer.certificate, f"peers.{name}.certificate")
        used.setdefault(peer.ca, f"peers.{name}.ca")
    return {key: path for path, key in used.items() if path is not None and path.is_file()}


def _end(key: str, path: Path) -> datetime | None:
    """Return when the first certificate of a chain expires, or the last one of authorities."""
    ends = [end for one in certificates(path) if (end := valid_until(one)) is not None]
    return (max if key.endswith(".ca") else min)(ends, default=None)


def _valid(key: str, path: Path) -> Finding:
    end = _end(key, path)
    if end is None:
        return doubtful(key, f"{path}: no certificate can be read in it", "give a PEM file")
    left = end - datetime.now(UTC)
    if left <= timedelta(0):
        text = f"{path} has expired on {end:%Y-%m-%d}: peers that look at it refuse"
        return doubtful(key, text, "renew it; the node takes the new file without a restart")
    text = f"{path} is valid until {end:%Y-%m-%d}, {left.days} more days"
    if left < SOON:
        return doubtful(key, text, "renew it; the node takes the new file without a restart")
    return Finding(key, text)


def _peers_with_files(config: Config) -> list[tuple[str, DimsePeer | TlsPeer]]:
    return [*config.dimse_peers.items(), *_others(config)]


def _others(config: Config) -> list[tuple[str, TlsPeer]]:
    return [(name, one) for name, one in config.peers.items() if isinstance(one, TlsPeer)]


def _tls(name: str, peer: DimsePeer | TlsPeer, files: ClientTls) -> Iterator[Finding]:
    key = f"peers.{name}"
    secret = peer.key or peer.certificate
    if secret is not None and readable_by_all(secret):
        yield wrong(key, f"everybody on this machine may read {secret}", f"chmod 600 {secret}")
    yield guarded(key, PEM_REMEDY, partial(_usable, key, files))


def _usable(key: str, files: ClientTls) -> Finding:
    client_context(files)
    whom = "the authorities of the system" if files.ca is None else str(files.ca)
    return Finding(key, f"TLS, trusting {whom}")


def _passcode(name: str, peer: DimsePeer, path: Path) -> Iterator[Finding]:
    yield _secret(f"peers.{name}.passcode_file", path)
    if not peer.tls:
        text = f"the passcode of {peer.user} goes to this peer in clear text"
        yield doubtful(f"peers.{name}.passcode_file", text, "set tls = true if the peer can")


def _secret(key: str, path: Path) -> Finding:
    remedy = "write the secret into this file, one line, and let only its owner read it"
    return guarded(key, remedy, partial(_readable, key, path))


def _readable(key: str, path: Path) -> Finding:
    read_passcode(path)
    return Finding(key, f"{path} can be used")
