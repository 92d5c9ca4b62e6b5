"""Sign a file with a secret key of minisign; `pacs_ai.model.signature` checks such signatures."""

import base64
import binascii
import hashlib
from pathlib import Path

from pacs_ai.errors import ConfigError
from pacs_ai.model import ed25519

_ID, _SECRET = 8, 32
_PLAIN = b"Ed\0\0B2"
"""Ed25519, no key derivation (no passphrase), checksum by BLAKE2b."""
_SALT_AND_LIMITS = 32 + 8 + 8
_BYTES = len(_PLAIN) + _SALT_AND_LIMITS + _ID + 2 * _SECRET + 32


def signature_of(content: bytes, key: Path, name: str) -> str:
    """Sign the content of a file.

    Parameters
    ----------
    content
        What is signed.
    key
        A secret key without passphrase: ``minisign -G -W``.
    name
        Name of the file, for the trusted comment.

    Returns
    -------
    str
        The content of the signature file, which ``minisign -V`` checks.

    Raises
    ------
    ConfigError
        If the key cannot be read, or has a passphrase.
    """
    number, secret = _read(key)
    value = ed25519.sign(secret, hashlib.blake2b(content).digest())
    comment = f"file:{name}\thashed"
    whole = ed25519.sign(secret, value + comment.encode())
    lines = (
        "untrusted comment: signature from a minisign secret key",
        base64.b64encode(b"ED" + number + value).decode(),
        f"trusted comment: {comment}",
        base64.b64encode(whole).decode(),
    )
    return "\n".join(lines) + "\n"


def _read(key: Path) -> tuple[bytes, bytes]:
    """Return the number and the secret of a key."""
    try:
        lines = key.read_text(encoding="ascii").splitlines()
        raw = base64.b64decode(lines[1], validate=True)
    except (OSError, UnicodeDecodeError, IndexError, binascii.Error) as error:
        raise ConfigError(f"{key} cannot be read as a secret key of minisign") from error
    if len(raw) != _BYTES or raw[:2] != _PLAIN[:2]:
        raise ConfigError(f"{key} is no secret key of minisign")
    if raw[: len(_PLAIN)] != _PLAIN:
        raise ConfigError(
            f"{key} has a passphrase: sign the file with minisign -S, or make a key with -G -W"
        )
    rest = raw[len(_PLAIN) + _SALT_AND_LIMITS :]
    number, secret = rest[:_ID], rest[_ID : _ID + _SECRET]
    if ed25519.public_key(secret) != rest[_ID + _SECRET : _ID + 2 * _SECRET]:
        raise ConfigError(f"{key} is damaged: its two halves do not belong together")
    return number, secret
