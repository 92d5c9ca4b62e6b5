"""Which fragments of encapsulated pixel data belong to which frame (PS3.5 Section A.4).

An offset table may say it. Many writers leave it empty, fill it with zeros or count wrongly; then
the fragments say it themselves, by how they begin. Where the two disagree, or neither tells, no
frame is read: a guess would show another frame's picture.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from pacs_ai.errors import UnsupportedPixels

Starts = Callable[[bytes], bool]
"""Tells of the first `HEAD` bytes of a fragment whether a frame begins there."""

HEAD = 16
_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_TAG = 8
_MAX_FRAGMENTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Fragment:
    """One item: where its tag stands after the first one, where its value, its length, its head."""

    mark: int
    offset: int
    length: int
    head: bytes


@dataclass(frozen=True, slots=True)
class OffsetTable:
    """What a table says: an offset for each frame, and its length where the table has lengths."""

    offsets: tuple[int, ...]
    lengths: tuple[int, ...] = ()

    @classmethod
    def unpacked(cls, offsets: bytes, lengths: bytes = b"", *, wide: bool) -> "OffsetTable":
        """Read a table of 32-bit numbers, or ``wide`` ones of 64 bits."""
        code, size = ("Q", 8) if wide else ("I", 4)
        return cls(
            *(
                struct.unpack(f"<{len(part) // size}{code}", part[: len(part) // size * size])
                for part in (offsets, lengths)
            )
        )


def read_fragments(stream: BinaryIO, start: int, end: int) -> tuple[OffsetTable, list[Fragment]]:
    """Find every fragment.

    Parameters
    ----------
    stream
        Holds the pixel data.
    start, end
        Where their value begins, and where the data end.

    Returns
    -------
    tuple
        The basic offset table, and the fragments after it in their order.

    Raises
    ------
    UnsupportedPixels
        If something else stands where an item must be.
    """
    found: list[Fragment] = []
    first = position = start
    while position + _TAG <= end and len(found) <= _MAX_FRAGMENTS:
        stream.seek(position)
        data = stream.read(_TAG + HEAD)
        if data[:4] == _END:
            break
        if data[:4] != _ITEM:
            raise UnsupportedPixels("the compressed pixel data are not a sequence of items")
        length = int.from_bytes(data[4:8], "little")
        value = position + _TAG
        found.append(Fragment(position - first, value, length, data[_TAG : _TAG + length]))
        position = _next_item(stream, value + length)
        if len(found) == 1:
            first = position
    if not found or len(found) > _MAX_FRAGMENTS:
        raise UnsupportedPixels("the compressed pixel data have no fragments, or far too many")
    stream.seek(found[0].offset)
    table = stream.read(min(found[0].length, 4 * _MAX_FRAGMENTS))
    return OffsetTable.unpacked(table, wide=False), found[1:]


def read_pieces(target: memoryview, stream: BinaryIO, pieces: Sequence[tuple[int, int]]) -> None:
    """Read pieces of a stream one behind the other.

    Parameters
    ----------
    target
        Writable bytes, at least as many as the pieces have.
    pieces
        Offset and length of each.

    Raises
    ------
    UnsupportedPixels
        If the stream ends before a piece does.
    """
    start = 0
    for offset, length in pieces:
        stream.seek(offset)
        with target[start : start + length] as part:
            if stream.readinto(part) != length:  # type: ignore[attr-defined]
                raise UnsupportedPixels("the pixel data end too early")
        start += length


def _next_item(stream: BinaryIO, position: int) -> int:
    """Step over the byte that some writers put after an odd length without counting it."""
    if position % 2:
        stream.seek(position)
        here = stream.read(5)
        if here[:4] not in (_ITEM, _END) and here[1:] in (_ITEM, _END):
            return position + 1
    return position


def frame_fragments(
    fragments: list[Fragment], tables: list[OffsetTable], frames: int, starts: Starts | None
) -> list[list[Fragment]]:
    """Give each frame its fragments.

    Parameters
    ----------
    fragments
        All of them.
    tables
        What there is of tables, the one to be preferred first.
    frames
        How many the header says.
    starts
        None where the beginning of a frame cannot be recognised.

    Returns
    -------
    list
        For each frame its fragments, none of them empty; none at all for a frame that is lost.

    Raises
    ------
    UnsupportedPixels
        If tables, fragments and number of frames contradict each other or leave it open.
    """
    told = next((t for table in tables if (t := _by_table(fragments, table, frames))), None)
    seen = _by_look(fragments, frames, starts)
    if told is None:
        if seen is None:
            raise UnsupportedPixels("nothing tells which fragment belongs to which frame")
        return seen
    inside = starts is not None and any(starts(part.head) for group in told for part in group[1:])
    if inside or (seen is not None and seen != told):
        raise UnsupportedPixels("the offset table contradicts the fragments")
    return told


def _by_table(
    fragments: list[Fragment], table: OffsetTable, frames: int
) -> list[list[Fragment]] | None:
    """Group by a table; None if it tells nothing: empty, all zero, or beside the fragments."""
    places = {fragment.mark: number for number, fragment in enumerate(fragments)}
    if len(table.offsets) != frames or not all(offset in places for offset in table.offsets):
        return None
    if len(set(table.offsets)) < frames or min(table.offsets) != 0:
        return None
    if list(table.offsets) != sorted(table.offsets):
        raise UnsupportedPixels("the offset table puts the frames in another order")
    bounds = [*(places[offset] for offset in table.offsets), len(fragments)]
    groups = [_filled(fragments[begin:end]) for begin, end in pairwise(bounds)]
    if table.lengths and not _fit(table.lengths, groups):
        return None
    return groups


def _fit(lengths: tuple[int, ...], groups: list[list[Fragment]]) -> bool:
    """Compare the lengths a table tells with those of the fragments, which may be padded."""
    if len(lengths) != len(groups):
        return False
    totals = [sum(part.length for part in group) for group in groups]
    return all(
        total - len(group) <= length <= total
        for length, total, group in zip(lengths, totals, groups, strict=True)
    )


def _by_look(
    fragments: list[Fragment], frames: int, starts: Starts | None
) -> list[list[Fragment]] | None:
    """Group by the looks of the fragments; None if these leave it open."""
    filled = _filled(fragments)
    if starts is None or not any(starts(part.head) for part in filled):
        if frames == 1:
            return [filled]
        return [[part] for part in filled] if len(filled) == frames else None
    begins = [number for number, part in enumerate(filled) if starts(part.head)]
    if len(begins) == frames and begins[0] == 0:
        bounds = [*begins, len(filled)]
        return [filled[a:b] for a, b in pairwise(bounds)]
    if len(fragments) == frames and len(begins) == len(filled):
        return [_filled([part]) for part in fragments]
    return None


def _filled(fragments: list[Fragment]) -> list[Fragment]:
    return [part for part in fragments if part.length]
