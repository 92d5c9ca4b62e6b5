"""Digests name their algorithm; those of older versions have no name and stay SHA-256."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_ai.digests import RunningDigest, comparable, digest_of
from pacs_ai.errors import StorageError

# the first test vectors of the BLAKE3 project: inputs of 0 and of 3 bytes (0, 1, 2)
VECTORS = {
    b"": "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
    bytes(range(3)): "e1be4d7a8ab5560aa4199eea339849ba8e293d55ca0a81006726d184519e647f",
}
OLD = hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize("content", VECTORS)
def test_new_digests_are_blake3_and_say_so(content: bytes) -> None:
    assert digest_of(content) == f"blake3:{VECTORS[content]}"


def test_a_digest_without_a_name_is_sha256() -> None:
    running = RunningDigest(OLD)
    running.update(b"abc")
    assert running.text() == OLD


@given(st.lists(st.binary(max_size=5000)))
def test_the_pieces_do_not_matter(pieces: list[bytes]) -> None:
    for known in ("", OLD):
        running, whole = RunningDigest(known), RunningDigest(known)
        for piece in pieces:
            running.update(memoryview(piece))
        whole.update(b"".join(pieces))
        assert running.text() == whole.text()


def test_only_digests_of_one_algorithm_can_be_compared() -> None:
    assert comparable(digest_of(b"a"), digest_of(b"b"))
    assert comparable(OLD, "ab" * 32)
    assert not comparable(OLD, digest_of(b"abc"))


def test_a_digest_of_a_later_version_is_no_damaged_file() -> None:
    with pytest.raises(StorageError, match="unknown algorithm: later"):
        RunningDigest("later:00")
