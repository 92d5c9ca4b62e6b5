"""Which fragment belongs to which frame, with any offset table: never another frame's picture."""

import struct
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from pacs_ai.errors import UnsupportedPixels
from tests.unit.dicom import encoders
from tests.unit.dicom.conftest import Make
from tests.unit.dicom.encoders import JPEG, Encode, Samples, image, items, stored

SHAPE = (40, 48)
COUNT = 3
CODECS: dict[str, tuple[str, Encode]] = {
    "RLE": (encoders.RLE, encoders.rle),
    "JPEG": (f"{JPEG}50", encoders.pillow()),
    "JPEG lossless": (f"{JPEG}70", encoders.lossless_jpeg(1)),
    "JPEG-LS": (f"{JPEG}80", encoders.jpeg_ls()),
    "JPEG 2000": (f"{JPEG}90", encoders.jpeg_2000()),
    "HTJ2K": (f"{JPEG}201", encoders.htj2k()),
    "JPEG XL": (f"{JPEG}110", encoders.jpeg_xl(lossless=True)),
    "deflated frame": (encoders.DEFLATED_FRAME, encoders.deflate),
}
Parts = list[bytes]
Grouped = list[Parts]


def movie() -> list[Samples]:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return [((x * (number + 1) + y) % 251).astype("u1") for number in range(COUNT)]


def even(frame: bytes) -> bytes:
    return frame + b"\0" * (len(frame) % 2)


def whole(frames: Parts) -> Grouped:
    return [[even(frame)] for frame in frames]


def split(frames: Parts) -> Grouped:
    """Two fragments for the first frame, three for the second, one for the third."""
    grouped = []
    for frame, count in zip(frames, (2, 3, 1), strict=True):
        size = -(-len(even(frame)) // count) // 2 * 2
        grouped.append([even(frame)[n * size : (n + 1) * size] for n in range(count - 1)])
        grouped[-1].append(even(frame)[(count - 1) * size :])
    return grouped


def trailing_empty(frames: Parts) -> Grouped:
    return [*whole(frames)[:-1], [even(frames[-1]), b""]]


def empty_between(frames: Parts) -> Grouped:
    return [[even(frame), b""] for frame in frames]


def odd(frames: Parts) -> Grouped:
    """Lengths as they are, odd ones among them."""
    return [[frame if len(frame) % 2 else frame + b"\0"] for frame in frames]


LAYOUTS = (whole, split, trailing_empty, empty_between, odd)


def marks(grouped: Grouped) -> list[int]:
    """Offsets of the first item of each frame, as a right table has them."""
    sizes = [sum(8 + len(part) for part in group) for group in grouped]
    return [sum(sizes[:number]) for number in range(len(sizes))]


def packed(offsets: list[int]) -> bytes:
    return struct.pack(f"<{len(offsets)}I", *offsets)


Table = Callable[[list[int]], list[int]]
TABLES: dict[str, Table] = {
    "right": lambda right: right,
    "none": lambda _: [],
    "all zero": lambda right: [0] * len(right),
    "one zero": lambda _: [0],
    "too short": lambda right: right[:-1],
    "too long": lambda right: [*right, right[-1] + 8],
    "from the table's own item": lambda right: [offset + 20 for offset in right],
    "one beside": lambda right: [*right[:-1], right[-1] + 2],
}
WRONG: dict[str, Table] = {
    "reversed": lambda right: right[::-1],
    "two exchanged": lambda right: [right[0], right[2], right[1]],
}


def layouts() -> Iterator[tuple[str, Callable[[Parts], Grouped]]]:
    for name in CODECS:
        for layout in LAYOUTS:
            yield name, layout


def check(make: Make, name: str, value: bytes, *, may_refuse: bool, **more: object) -> int:
    """Read every frame: it is the right one, or refused; returns how many were read."""
    syntax, encode = CODECS[name]
    frames = movie()
    wanted = frames
    if name == "JPEG":
        alone = [image(make, syntax, [encode(frame, 8)], frame) for frame in frames]
        wanted = [stored(path).values for path in alone]
    elements = {"NumberOfFrames": COUNT, "PixelData": value} | more
    path = image(make, syntax, [], frames[0], **elements)
    read = 0
    for number, picture in enumerate(wanted, 1):
        try:
            found = stored(path, number).values
        except UnsupportedPixels:
            assert may_refuse
            continue
        np.testing.assert_array_equal(found, picture)
        read += 1
    return read


@pytest.mark.parametrize(("name", "layout"), list(layouts()))
def test_any_offset_table(make: Make, name: str, layout: Callable[[Parts], Grouped]) -> None:
    grouped = layout([CODECS[name][1](frame, 8) for frame in movie()])
    fragments = [part for group in grouped for part in group]
    # Nothing shows where a deflated frame begins: only a right table or their number can tell.
    silent = name == "deflated frame" and layout is split
    for table, change in TABLES.items():
        value = items(*fragments, table=packed(change(marks(grouped))))
        may_refuse = silent and table != "right"
        assert check(make, name, value, may_refuse=may_refuse) == (0 if may_refuse else COUNT)
    for change in WRONG.values():
        value = items(*fragments, table=packed(change(marks(grouped))))
        assert check(make, name, value, may_refuse=True) == 0


@pytest.mark.parametrize("name", CODECS)
def test_extended_offset_table(make: Make, name: str) -> None:
    frames = [CODECS[name][1](frame, 8) for frame in movie()]
    grouped = whole(frames)
    value = items(*(part for group in grouped for part in group))
    right, lengths = marks(grouped), [len(frame) for frame in frames]
    for offsets, sizes in (
        (right, lengths),
        (right, [len(even(frame)) for frame in frames]),
        ([0] * COUNT, lengths),
        (right, [0] * COUNT),
        (right[:-1], lengths),
        ([offset + 8 for offset in right], lengths),
    ):
        tables = {
            "ExtendedOffsetTable": struct.pack(f"<{len(offsets)}Q", *offsets),
            "ExtendedOffsetTableLengths": struct.pack(f"<{len(sizes)}Q", *sizes),
        }
        assert check(make, name, value, may_refuse=False, **tables) == COUNT
    exchanged = {
        "ExtendedOffsetTable": struct.pack("<3Q", right[0], right[2], right[1]),
        "ExtendedOffsetTableLengths": struct.pack("<3Q", lengths[0], lengths[2], lengths[1]),
    }
    assert check(make, name, value, may_refuse=True, **exchanged) == 0


@pytest.mark.parametrize("name", CODECS)
def test_a_frame_that_is_lost_costs_itself_only(make: Make, name: str) -> None:
    frames = [even(CODECS[name][1](frame, 8)) for frame in movie()]
    for table in ([], marks([[frames[0]], [b""], [frames[2]]])):
        value = items(frames[0], b"", frames[2], table=packed(table))
        known = name != "deflated frame" or table
        assert check(make, name, value, may_refuse=True) == (2 if known else 0)
    damaged = items(
        frames[0],
        b"\1" * len(frames[1]),
        frames[2],
        table=packed(marks([[frame] for frame in frames])),
    )
    assert check(make, name, damaged, may_refuse=True) == 2


@pytest.mark.parametrize("name", CODECS)
def test_other_numbers_of_frames(make: Make, name: str) -> None:
    """More or fewer frames than the header says: their pictures are not guessed at."""
    frames = [even(CODECS[name][1](frame, 8)) for frame in movie()]
    for parts, count in ((frames, 2), (frames, 4), (frames[:2], 3), (frames, 1)):
        for table in (packed([]), packed([0] * count)):
            value = items(*parts, table=table)
            read = check(make, name, value, may_refuse=True, NumberOfFrames=count)
            assert read == 0 or (name == "deflated frame" and count == 1)
    one = items(frames[0], table=packed([0]))
    for count in (0, 1, None):
        more = {"NumberOfFrames": count} if count is not None else {}
        path = image(make, CODECS[name][0], [], movie()[0], PixelData=one, **more)
        assert stored(path).values.shape == SHAPE


@pytest.mark.parametrize("name", ["JPEG", "JPEG lossless", "JPEG-LS", "JPEG 2000", "HTJ2K"])
def test_frames_that_lack_only_their_end(make: Make, name: str) -> None:
    frames = [CODECS[name][1](frame, 8) for frame in movie()]
    bare = [frame[: frame.rfind(b"\xff\xd9")] for frame in frames]
    for cut in (bare, [frame + b"\xff" for frame in bare], [frame + b"\0" for frame in bare]):
        value = items(*map(even, cut), table=packed([]))
        may_refuse = name in ("JPEG-LS", "JPEG 2000", "HTJ2K") and cut[0].endswith(b"\0")
        check(make, name, value, may_refuse=may_refuse)
    for lost in (4, 40, 400):
        value = items(*(even(frame[:-lost]) for frame in bare), table=packed([]))
        assert check(make, name, value, may_refuse=True) == 0
