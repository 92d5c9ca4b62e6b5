"""Check the minisign signature of a bundle's manifest, which holds the hashes of all other files.

``minisign -Sm model.toml`` writes ``model.toml.minisig``; the formats are those of minisign
(https://jedisct1.github.io/minisign/). Both algorithms are read: ``Ed`` signs the file, ``ED`` its
BLAKE2b.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence

from pacs_ai.errors import BundleInvalid
from pacs_ai.model import ed25519

SUFFIX = ".minisig"
MOST_BYTES = 16 << 10

_ID = 8
_SIGNATURE_BYTES = 2 + _ID + 64
_COMMENT = "trusted comment: "
_LINES = 4


def check_signature(manifest: bytes, signature: bytes, keys: Sequence[str]) -> None:
    """Refuse a manifest that none of the trusted keys has signed.

    Parameters
    ----------
    manifest
        Content of ``model.toml``.
    signature
        Content of ``model.toml.minisig``.
    keys
        Trusted public keys as minisign writes them, in Base64.

    Raises
    ------
    BundleInvalid
        If the signature is damaged, of another key, or of another content or comment.
    """
    lines = signature.decode("utf-8", "replace").splitlines()
    if len(lines) < _LINES or not lines[2].startswith(_COMMENT):
        raise BundleInvalid("the signature of the bundle is not one of minisign")
    own, whole = _decoded(lines[1]), _decoded(lines[3])
    algorithm, key_id, value = own[:2], own[2 : 2 + _ID], own[2 + _ID :]
    if len(own) != _SIGNATURE_BYTES or algorithm not in (b"Ed", b"ED"):
        raise BundleInvalid("the signature of the bundle is not one of minisign")
    known = {raw[2 : 2 + _ID]: raw[2 + _ID :] for raw in map(_decoded, keys)}
    if key_id not in known:
        raise BundleInvalid("the bundle is signed with a key that the configuration does not trust")
    signed = hashlib.blake2b(manifest).digest() if algorithm == b"ED" else manifest
    comment = lines[2].removeprefix(_COMMENT).encode()
    if not ed25519.verify(known[key_id], value, signed):
        raise BundleInvalid("the signature of the bundle does not belong to its manifest")
    if not ed25519.verify(known[key_id], whole, value + comment):
        raise BundleInvalid("the trusted comment of the bundle's signature was changed")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""
