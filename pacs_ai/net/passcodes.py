"""Digests of passcodes that people choose: slow on purpose, and salted (scrypt, RFC 7914)."""

import hashlib
import hmac
import secrets

_SCHEME = "scrypt"
_COST, _BLOCK, _LANES = 1 << 14, 8, 1
"""16 MiB and some hundredths of a second for each guess."""
_SALT = _KEY = 32
_PARTS = 6


def passcode_digest(passcode: str) -> str:
    """Return what is kept of a passcode: scheme, its three numbers, salt and key."""
    salt = secrets.token_bytes(_SALT)
    key = _derived(passcode.encode(), salt, _COST, _BLOCK, _LANES)
    return f"{_SCHEME}${_COST}${_BLOCK}${_LANES}${salt.hex()}${key.hex()}"


def is_passcode(passcode: bytes, digest: str) -> bool:
    """Tell whether a passcode is the one that a digest was made of."""
    parts = digest.split("$")
    if len(parts) != _PARTS or parts[0] != _SCHEME:
        return False
    salt, key = (bytes.fromhex(part) for part in parts[4:])
    return hmac.compare_digest(_derived(passcode, salt, *map(int, parts[1:4])), key)


def _derived(passcode: bytes, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    room = 256 * cost * block
    return hashlib.scrypt(passcode, salt=salt, n=cost, r=block, p=lanes, maxmem=room, dklen=_KEY)
