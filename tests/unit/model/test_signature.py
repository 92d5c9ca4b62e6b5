"""Signatures of bundles, as minisign writes them."""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from pacs_ai.errors import BundleInvalid
from pacs_ai.model import ed25519
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.signature import check_signature

# RFC 8032, Section 7.1: TEST 1, 2 and 3
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
# of the documentation of minisign
PUBLIC = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"


def sign(secret: bytes, message: bytes) -> tuple[bytes, bytes]:
    """Public key and signature."""
    return ed25519.public_key(secret), ed25519.sign(secret, message)


def minisign(
    message: bytes, algorithm: bytes = b"ED", secret: bytes = b"s" * 32
) -> tuple[str, str]:
    """Public key and signature file of minisign."""
    signed = hashlib.blake2b(message).digest() if algorithm == b"ED" else message
    public, value = sign(secret, signed)
    comment = "timestamp:1\tfile:model.toml"
    _, whole = sign(secret, value + comment.encode())
    number = b"12345678"
    text = base64.b64encode
    key = text(b"Ed" + number + public).decode()
    lines = (
        "untrusted comment: signature",
        text(algorithm + number + value).decode(),
        f"trusted comment: {comment}",
        text(whole).decode(),
    )
    return key, "\n".join(lines) + "\n"


@pytest.mark.parametrize(("secret", "key", "message", "signature"), VECTORS)
def test_the_vectors_of_the_standard_are_verified(
    secret: str, key: str, message: str, signature: str
) -> None:
    given = [bytes.fromhex(one) for one in (key, signature, message)]
    assert ed25519.verify(*given)
    assert sign(bytes.fromhex(secret), given[2]) == (given[0], given[1])
    for at in range(3):
        if given[at]:
            changed = list(given)
            changed[at] = bytes([given[at][0] ^ 1]) + given[at][1:]
            assert not ed25519.verify(*changed)


def test_a_signature_is_not_valid_twice() -> None:
    """A scalar above the order of the group is refused (RFC 8032, Section 8.4)."""
    key, signature, message = (bytes.fromhex(one) for one in (VECTORS[0][1], VECTORS[0][3], ""))
    raised = int.from_bytes(signature[32:], "little") + ed25519._ORDER
    assert not ed25519.verify(key, signature[:32] + raised.to_bytes(32, "little"), message)


@pytest.mark.parametrize("algorithm", [b"Ed", b"ED"])
def test_both_algorithms_of_minisign_are_read(algorithm: bytes) -> None:
    key, signature = minisign(b"manifest", algorithm)
    check_signature(b"manifest", signature.encode(), [PUBLIC, key])
    with pytest.raises(BundleInvalid, match="does not belong to its manifest"):
        check_signature(b"another", signature.encode(), [key])
    with pytest.raises(BundleInvalid, match="does not trust"):
        check_signature(b"manifest", signature.encode(), [PUBLIC])
    with pytest.raises(BundleInvalid, match="trusted comment"):
        check_signature(
            b"manifest", signature.replace("timestamp:1", "timestamp:2").encode(), [key]
        )


@pytest.mark.parametrize("content", [b"", b"a\nb\nc\nd", b"x\n!!\ntrusted comment: y\n!!\n"])
def test_what_is_no_signature_is_refused(content: bytes) -> None:
    with pytest.raises(BundleInvalid, match="not one of minisign"):
        check_signature(b"", content, [PUBLIC])


def test_a_bundle_is_refused_unsigned_and_served_signed(write_bundle: Callable[..., Path]) -> None:
    folder = write_bundle()
    key, signature = minisign((folder / "model.toml").read_bytes())
    load_bundle(folder)
    with pytest.raises(BundleInvalid, match="is not signed"):
        load_bundle(folder, trusted_keys=[key])
    (folder / "model.toml.minisig").write_text(signature)
    load_bundle(folder, trusted_keys=[key])
