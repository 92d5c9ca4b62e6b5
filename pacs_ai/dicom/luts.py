"""From stored values to grey: modality LUT, window or VOI LUT, polarity (PS3.3 Section C.11)."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from pacs_ai.dicom.reading import integer, items, number, numbers, text, value_of
from pacs_ai.errors import UnsupportedPixels

RENDERING_KEYWORDS = (
    "Modality",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "VOILUTSequence",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)
DESCRIPTOR_VALUES = 3
_FULL_TABLE = 65536
_MAX_LUT_BITS = 16
_MAX_NUMBER = 1e25
"""Times a stored value of 32 bits it is still a float32."""


@dataclass(frozen=True, slots=True)
class Window:
    """A contrast window: centre and width in units of the modality, and its curve."""

    centre: float
    width: float
    function: str = "LINEAR"


@dataclass(frozen=True, slots=True)
class LookUpTable:
    """A table: the input that its first entry belongs to, the entries, the largest output."""

    first: int
    entries: npt.NDArray[np.uint16]
    maximum: int


@dataclass(frozen=True, slots=True)
class Rendering:
    """How a frame is shown. ``padding`` is the range of stored values that mean "no image"."""

    modality: str
    rescaled: bool
    slope: float
    intercept: float
    modality_lut: LookUpTable | None
    window: Window | None
    voi_lut: LookUpTable | None
    padding: tuple[int, int] | None


def read_rendering(dataset: Dataset, frame: int) -> Rendering:
    """Collect what the header says on showing one frame.

    Parameters
    ----------
    dataset
        Data set with the elements of `RENDERING_KEYWORDS`.
    frame
        Counts from 1; its own functional group goes before the shared one, this before the top.

    Raises
    ------
    UnsupportedPixels
        If a slope, intercept, window or table cannot be right: no number, NaN, zero, of a size that
        leaves float32. What cannot be read is not taken for absent, which would be a guess.
    """
    rescale = _group(dataset, frame, "PixelValueTransformationSequence") or dataset
    voi = _group(dataset, frame, "FrameVOILUTSequence") or dataset
    given, intercept = number(rescale, "RescaleSlope"), number(rescale, "RescaleIntercept") or 0.0
    slope = 1.0 if given is None else given
    if not _usable(slope) or not _usable(intercept) or slope == 0:
        raise UnsupportedPixels("the rescale slope or intercept is not a usable number")
    padding = numbers(dataset, "PixelPaddingValue")
    limits = numbers(dataset, "PixelPaddingRangeLimit") or padding
    return Rendering(
        modality=text(dataset, "Modality"),
        rescaled=given is not None,
        slope=slope,
        intercept=intercept,
        modality_lut=_table(dataset, "ModalityLUTSequence"),
        window=_window(voi),
        voi_lut=_table(voi, "VOILUTSequence"),
        padding=(int(min(padding[0], limits[0])), int(max(padding[0], limits[0])))
        if padding
        else None,
    )


def apply_table(values: npt.NDArray[np.generic], table: LookUpTable) -> npt.NDArray[np.float32]:
    """Look values up; those outside the table take its first or last entry.

    Parameters
    ----------
    values
        Any shape; rounded to integers first where they are not.

    Returns
    -------
    numpy.ndarray
        Outputs of the table, same shape, not scaled.
    """
    if np.issubdtype(values.dtype, np.floating):
        values = np.nan_to_num(np.rint(values))
    last = table.first + len(table.entries) - 1
    index = np.clip(values.astype(np.float64), table.first, last).astype(np.int32) - table.first
    return table.entries[index].astype(np.float32)


def _group(dataset: Dataset, frame: int, keyword: str) -> Dataset | None:
    """Functional group macro of a frame, or the one shared by all (PS3.3 Section C.7.6.16)."""
    own = items(dataset, "PerFrameFunctionalGroupsSequence")[frame - 1 : frame]
    shared = items(dataset, "SharedFunctionalGroupsSequence")[:1]
    for group in own + shared:
        for item in items(group, keyword)[:1]:
            return item
    return None


def _usable(value: float) -> bool:
    return math.isfinite(value) and abs(value) <= _MAX_NUMBER


def _window(voi: Dataset) -> Window | None:
    centre, width = number(voi, "WindowCenter"), number(voi, "WindowWidth")
    if centre is None or width is None:
        return None
    if not _usable(centre) or not _usable(width) or width <= 0:
        raise UnsupportedPixels("the window centre or width is not a usable number")
    function = text(voi, "VOILUTFunction") or "LINEAR"
    if function == "LINEAR" and width < 1:
        # LINEAR is not defined below 1; writers with fractional units mean the exact form.
        function = "LINEAR_EXACT"
    return Window(centre, width, function)


def _table(dataset: Dataset, keyword: str) -> LookUpTable | None:
    for item in items(dataset, keyword)[:1]:
        descriptor = numbers(item, "LUTDescriptor")
        if not descriptor and value_of(item, "LUTData") is None:
            return None
        if len(descriptor) != DESCRIPTOR_VALUES:
            raise UnsupportedPixels(f"the table of {keyword} has no usable descriptor")
        count, first, bits = (int(value) for value in descriptor)
        count = count or _FULL_TABLE
        entries = _entries(item, count)
        if len(entries) < count or not 0 < bits <= _MAX_LUT_BITS:
            raise UnsupportedPixels(f"the table of {keyword} contradicts its descriptor")
        entries = entries[:count]
        return LookUpTable(first, entries, max((1 << bits) - 1, int(entries.max())))
    return None


def _entries(item: Dataset, count: int) -> npt.NDArray[np.uint16]:
    data = value_of(item, "LUTData")
    if isinstance(data, bytes):
        wide = len(data) >= 2 * count
        little = item.original_encoding[1] is not False
        kind = "u1" if not wide else "<u2" if little else ">u2"
        usable = len(data) - (len(data) % 2 if wide else 0)
        return np.frombuffer(data[:usable], dtype=kind).astype(np.uint16)
    values = [int(value) & 0xFFFF for value in numbers(item, "LUTData")]
    if not values and integer(item, "LUTData", -1) < 0:
        raise UnsupportedPixels("a look-up table has no data")
    return np.array(values, dtype=np.uint16)
