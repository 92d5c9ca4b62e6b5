"""Bodies of several parts, in pieces of any size."""

from dataclasses import dataclass, field

import pytest

from pacs_ai.net.http.multipart import MultipartBroken, MultipartReader, media_type, written

BODY = (
    b"what comes before is no part\r\n"
    b"--b\r\nContent-Type: application/dicom; x=1\r\n\r\none\r\n--bb is no boundary\r\n"
    b"--b  \r\ncontent-type:text/plain\r\nX: y\r\n\r\n"
    b"\r\n--b\r\n\r\nthree"
    b"\r\n--b--\r\nnor is what comes after\r\n--b\r\n"
)
PARTS = [
    ("application/dicom", b"one\r\n--bb is no boundary"),
    ("text/plain", b""),
    ("", b"three"),
]


@dataclass
class Kept:
    parts: list[tuple[str, bytes]] = field(default_factory=list)
    ended: int = 0

    def begin(self, media_type: str) -> None:
        self.parts.append((media_type, b""))

    def write(self, data: bytes) -> None:
        kind, before = self.parts[-1]
        self.parts[-1] = (kind, before + data)

    def end(self) -> None:
        self.ended += 1


def read(body: bytes, size: int, boundary: str = "b") -> Kept:
    kept = Kept()
    reader = MultipartReader(boundary, kept)
    for start in range(0, len(body), size):
        reader.feed(body[start : start + size])
    reader.finish()
    return kept


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 16, 1000])
def test_the_pieces_do_not_matter(size: int) -> None:
    kept = read(BODY, size)
    assert kept.parts == PARTS
    assert kept.ended == 3


def test_what_is_written_can_be_read() -> None:
    parts = [("application/dicom", [b"\r\n--", bytes(100)]), ("image/png", [b""])]
    body = b"".join(written(parts, "frontier"))
    assert read(body, 10, "frontier").parts == [(kind, b"".join(data)) for kind, data in parts]


@pytest.mark.parametrize(
    "body", [b"", b"no part", b"--b\r\n\r\ncut off", b"--b\r\nContent-Type: x"], ids=repr
)
def test_a_body_that_ends_too_early_is_refused(body: bytes) -> None:
    with pytest.raises(MultipartBroken):
        read(body, 3)


def test_headers_without_an_end_are_refused() -> None:
    with pytest.raises(MultipartBroken, match="too long"):
        read(b"--b\r\n" + b"x" * 20_000, 1000)


@pytest.mark.parametrize("boundary", ["", "x" * 201, "ends with a space ", 'with"quotes'])
def test_a_boundary_that_is_none_is_refused(boundary: str) -> None:
    with pytest.raises(MultipartBroken, match="boundary"):
        MultipartReader(boundary, Kept())


def test_media_types_are_taken_apart() -> None:
    text = 'Multipart/Related; Type="application/dicom"; boundary="a b"'
    assert media_type(text) == (
        "multipart/related",
        {"type": "application/dicom", "boundary": "a b"},
    )
    assert media_type("")[0] in ("", "text/plain")
