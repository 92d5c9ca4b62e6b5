"""Certificates in PEM files, and how long they are valid (RFC 5280 Section 4.1)."""

import ssl
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

_BEGIN = "-----BEGIN CERTIFICATE-----"
_END = "-----END CERTIFICATE-----"
_SEQUENCE, _VERSION, _UTC_TIME, _TIME = 0x30, 0xA0, 0x17, 0x18
_LONG_FORM = 0x80
_CENTURY_TURNS = 50
"""From here on two digits of a year mean the last century (RFC 5280 Section 4.1.2.5.1)."""


def certificates(path: Path) -> Iterator[bytes]:
    """Give the certificates of a PEM file, DER encoded; nothing if it cannot be read."""
    with suppress(OSError, ValueError):
        for part in path.read_text("ascii", "ignore").split(_END)[:-1]:
            yield ssl.PEM_cert_to_DER_cert(part[part.index(_BEGIN) :] + _END)


def valid_until(certificate: bytes) -> datetime | None:
    """Return until when a certificate is valid, None if it cannot be read.

    Parameters
    ----------
    certificate
        DER encoded.
    """
    try:
        _, body, _ = _element(certificate, 0)
        _, signed, _ = _element(certificate, body)
        kind, _, after = _element(certificate, signed)
        skipped = 4 if kind == _VERSION else 3  # version, serial number, algorithm, issuer
        at = signed
        for _ in range(skipped):
            _, _, at = _element(certificate, at)
        kind, at, _ = _element(certificate, at)
        _, _, at = _element(certificate, at)
        kind, start, after = _element(certificate, at)
        return _moment(kind, certificate[start:after].decode("ascii"))
    except (IndexError, ValueError):
        return None


def _element(data: bytes, at: int) -> tuple[int, int, int]:
    """Return the tag of an element, where its value begins, and where the next one does."""
    length, start = data[at + 1], at + 2
    if length & _LONG_FORM:
        count = length & ~_LONG_FORM
        length, start = int.from_bytes(data[start : start + count], "big"), start + count
    return data[at], start, start + length


def _moment(kind: int, text: str) -> datetime:
    if kind == _UTC_TIME:
        text = ("19" if int(text[:2]) >= _CENTURY_TURNS else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
