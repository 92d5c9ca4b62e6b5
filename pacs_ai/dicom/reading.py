"""One way to read a data set with pydicom: bounded, up to its pixels, and tolerant of values."""

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset as _read_dataset
from pydicom.filereader import read_partial
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag

from pacs_ai.dicom.missing_vr import with_first_vr
from pacs_ai.dicom.part10 import (
    DEFLATED,
    IMPLICIT_LITTLE,
    LONG_VRS,
    MAX_META,
    inflate,
    read_meta,
)
from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS

MAX_INFLATED = 512 * 1024 * 1024
PIXEL_KEYWORDS = {
    0x7FE00010: "PixelData",
    0x7FE00008: "FloatPixelData",
    0x7FE00009: "DoubleFloatPixelData",
}
UNDEFINED = 0xFFFFFFFF
_INTEGER_RANGE = 2**31
_CODE = "CS"


@dataclass(frozen=True, slots=True)
class PixelElement:
    """Where the pixels lie in a stream: keyword, VR, declared length, offset of the value."""

    keyword: str
    vr: str
    length: int
    offset: int


@dataclass(frozen=True, slots=True)
class Opened:
    """A data set up to its pixels, and the stream (inflated if need be) that holds them."""

    dataset: Dataset
    transfer_syntax_uid: str
    pixels: PixelElement | None
    stream: BinaryIO


def read_until_pixels(stream: BinaryIO, keywords: Iterable[str]) -> Opened:
    """Read the elements named by ``keywords``, up to the pixel data.

    Parameters
    ----------
    stream
        An open file, at its start.
    keywords
        Elements to keep; the others are skipped.

    Raises
    ------
    NotDicom
        If a deflated data set is damaged or too long. Anything else that is wrong comes as one
        of `FOREIGN_ERRORS`, for the caller to name.
    """
    tags: list[BaseTag | int] = [
        tag for keyword in keywords if (tag := tag_for_keyword(keyword)) is not None
    ]
    met: tuple[int, str | None, int] | None = None

    def at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
        nonlocal met
        if int(tag) not in PIXEL_KEYWORDS:
            return False
        met = (int(tag), vr, length)
        return True

    meta = read_meta(stream.read(MAX_META))
    dataset: Dataset
    if meta.transfer_syntax_uid == DEFLATED:
        stream.seek(meta.dataset_offset)
        stream = with_first_vr(BytesIO(inflate(stream, MAX_INFLATED)), 0, DEFLATED)
        stream.seek(0)
        dataset = _read_dataset(
            stream,
            is_implicit_VR=False,
            is_little_endian=True,
            stop_when=at_pixels,
            specific_tags=tags,
        )
    else:
        if meta.transfer_syntax_uid not in ("", IMPLICIT_LITTLE):
            stream = with_first_vr(stream, meta.dataset_offset, meta.transfer_syntax_uid)
        stream.seek(0)
        dataset = read_partial(stream, stop_when=at_pixels, force=True, specific_tags=tags)
    pixels = None if met is None else _pixel_element(met, dataset, stream.tell())
    return Opened(dataset, meta.transfer_syntax_uid, pixels, stream)


def _pixel_element(met: tuple[int, str | None, int], dataset: Dataset, start: int) -> PixelElement:
    tag, vr, length = met
    implicit = bool(dataset.original_encoding[0]) or vr is None
    long_form = not implicit and (vr or "").encode() in LONG_VRS
    return PixelElement(PIXEL_KEYWORDS[tag], vr or "OW", length, start + (12 if long_form else 8))


def present(dataset: Dataset, keywords: tuple[str, ...]) -> list[str]:
    """Return those of some keywords whose elements are there, in the order of their tags."""
    known = _tags(keywords)
    return [known[tag] for tag in sorted(map(int, dataset.keys())) if tag in known]


@functools.lru_cache(maxsize=64)
def _tags(keywords: tuple[str, ...]) -> dict[int, str]:
    return {int(Tag(keyword)): keyword for keyword in keywords}


def value_of(dataset: Dataset, keyword: str) -> object:
    """Value of an element, or None where it is absent, empty, or not to be understood."""
    try:
        value: object = dataset.get(keyword)
    except FOREIGN_ERRORS:
        return None
    return None if value is None or value == "" else value


def text(dataset: Dataset, keyword: str) -> str:
    """Text of an element as one string, "" if absent."""
    return "\\".join(texts(dataset, keyword))


def texts(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """Every value of a text element.

    Of codes (CS) without spaces around them, which mean nothing (PS3.5 Table 6.2-1).
    """
    value = value_of(dataset, keyword)
    if value is None or isinstance(value, Sequence | bytes):
        return ()
    parts = [str(part) for part in value] if isinstance(value, MultiValue) else [str(value)]
    spaced = any(part[:1] == " " or part[-1:] == " " for part in parts)
    if spaced and dataset[keyword].VR == _CODE:
        parts = [part.strip(" ") for part in parts]
        # Nothing but spaces is as good as nothing.
        return tuple(parts) if any(parts) else ()
    return tuple(parts)


def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """Every value of a numeric element, NaN and infinity among them; () if one is no number."""
    value = value_of(dataset, keyword)
    parts: list[Any] = list(value) if isinstance(value, MultiValue | list) else [value]
    try:
        return tuple(float(part) for part in parts if part is not None and part != "")
    except FOREIGN_ERRORS:
        return ()


def number(dataset: Dataset, keyword: str) -> float | None:
    """First value of a numeric element: None if it is absent or empty, NaN if it is no number."""
    values = numbers(dataset, keyword)
    if values:
        return values[0]
    value: object = dataset.get_item(keyword).value if keyword in dataset else None
    written = value.strip(b" \0") if isinstance(value, bytes) else value
    return math.nan if written else None


def decimals(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """Every value of a decimal string in its place: NaN where one is empty or no number."""
    raw: object = dataset.get_item(keyword).value if keyword in dataset else None
    if not isinstance(raw, bytes) or len(numbers(dataset, keyword)) == raw.count(b"\\") + 1:
        return numbers(dataset, keyword)
    return tuple(_decimal(part) for part in raw.split(b"\\"))


def _decimal(written: bytes) -> float:
    try:
        return float(written.strip(b" \0"))
    except ValueError:
        return math.nan


def integer(dataset: Dataset, keyword: str, default: int = 0) -> int:
    """First value of a numeric element as an integer of 32 bits, ``default`` if there is none."""
    values = numbers(dataset, keyword)
    return int(values[0]) if values and abs(values[0]) < _INTEGER_RANGE else default


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Items of a sequence, [] if absent."""
    value = value_of(dataset, keyword)
    return list(value) if isinstance(value, Sequence) else []
