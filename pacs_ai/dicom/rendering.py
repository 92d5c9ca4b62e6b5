"""What the header says on showing a frame: units, padding, contrast (PS3.3 Section C.11)."""

import math
from dataclasses import dataclass

from pydicom.dataset import Dataset

from pacs_ai.dicom.functional_groups import GROUPS_KEYWORDS, holder
from pacs_ai.dicom.lookup_tables import LookUpTable, read_table
from pacs_ai.dicom.pixel_layout import PixelLayout
from pacs_ai.dicom.reading import items, number, text
from pacs_ai.dicom.us_or_ss import us_or_ss
from pacs_ai.dicom.voi import MAX_NUMBER, VOI_KEYWORDS, Voi, read_voi
from pacs_ai.errors import UnsupportedPixels

_PADDING = {
    "PixelData": ("PixelPaddingValue", "PixelPaddingRangeLimit"),
    "FloatPixelData": ("FloatPixelPaddingValue", "FloatPixelPaddingRangeLimit"),
    "DoubleFloatPixelData": ("DoubleFloatPixelPaddingValue", "DoubleFloatPixelPaddingRangeLimit"),
}
_RESCALE = ("RescaleSlope", "RescaleIntercept")
RENDERING_KEYWORDS = (
    *("Modality", "RescaleType", "ModalityLUTSequence"),
    *(keyword for pair in _PADDING.values() for keyword in pair),
    *_RESCALE,
    *VOI_KEYWORDS,
    *GROUPS_KEYWORDS,
)
HOUNSFIELD = "HU"


@dataclass(frozen=True, slots=True)
class Rescale:
    """From stored values to units of the modality, by a line or by a table.

    ``units`` is `HOUNSFIELD`, or "" for all others.
    """

    slope: float
    intercept: float
    table: LookUpTable | None
    units: str


@dataclass(frozen=True, slots=True)
class Rendering:
    """How a frame is shown. ``padding`` is the range of stored values that mean "no image"."""

    modality: str
    rescale: Rescale
    voi: Voi
    padding: tuple[float, float] | None


def read_rendering(dataset: Dataset, layout: PixelLayout, frame: int) -> Rendering:
    """Collect what the header says on showing one frame.

    Parameters
    ----------
    dataset
        Data set with the elements of `RENDERING_KEYWORDS`.
    layout
        Shape and sign of its pixels.
    frame
        Counts from 1; its own functional group goes before the shared one, this before the top.

    Raises
    ------
    UnsupportedPixels
        If a slope, intercept or table that is needed cannot be right: no number, NaN, zero, of a
        size that leaves float32. What cannot be read is not taken for absent, which would be a
        guess. A window that is not usable is left out, and `Voi.broken` says so.
    """
    modality = text(dataset, "Modality").strip()
    rescale = _rescale(dataset, layout, frame, modality)
    signed = rescale.table is None and (
        rescale.units == HOUNSFIELD or _lowest(layout, rescale.slope, rescale.intercept) < 0
    )
    return Rendering(
        modality=modality,
        rescale=rescale,
        voi=read_voi(dataset, frame, signed=signed),
        padding=_padding(dataset, layout),
    )


def _rescale(dataset: Dataset, layout: PixelLayout, frame: int, modality: str) -> Rescale:
    group = holder(dataset, frame, "PixelValueTransformationSequence", _RESCALE)
    given, intercept = number(group, "RescaleSlope"), number(group, "RescaleIntercept") or 0.0
    slope = 1.0 if given is None else given
    usable = all(math.isfinite(value) and abs(value) <= MAX_NUMBER for value in (slope, intercept))
    if not usable or slope == 0:
        raise UnsupportedPixels("the rescale slope or intercept is not a usable number")
    for item in items(dataset, "ModalityLUTSequence")[:1]:
        table = read_table(item, signed=layout.signed)
        if table is not None:
            hounsfield = text(item, "ModalityLUTType").strip().upper() == HOUNSFIELD
            return Rescale(1.0, 0.0, table, HOUNSFIELD if hounsfield else "")
    said = text(group, "RescaleType").strip().upper()
    # Hounsfield units reach below zero: what cannot is a screenshot with an empty rescale.
    unsaid = modality == "CT" and not said and _lowest(layout, slope, intercept) < 0
    hounsfield = given is not None and (said == HOUNSFIELD or unsaid)
    return Rescale(slope, intercept, None, HOUNSFIELD if hounsfield else "")


def _lowest(layout: PixelLayout, slope: float, intercept: float) -> float:
    """Lowest value that the rescale can give for any pixel."""
    if layout.keyword != "PixelData":
        return -math.inf
    return min(stored * slope + intercept for stored in _stored_range(layout))


def _stored_range(layout: PixelLayout) -> tuple[int, int]:
    span = 1 << layout.bits_stored
    return (-span // 2, span // 2 - 1) if layout.signed else (0, span - 1)


def _padding(dataset: Dataset, layout: PixelLayout) -> tuple[float, float] | None:
    """Range of the values that fill the rectangle (C.7.5.1.1.2), as they are once decoded."""
    if layout.keyword != "PixelData":
        found = [number(dataset, keyword) for keyword in _PADDING[layout.keyword]]
        values = [value for value in found if value is not None and not math.isnan(value)]
        return (min(values), max(values)) if found[0] is not None and values else None
    words = [
        value
        for keyword in _PADDING["PixelData"]
        for value in us_or_ss(dataset, keyword, signed=layout.signed)[:1]
    ]
    if "PixelPaddingValue" not in dataset or not words:
        return None
    ends = [_as_decoded(value, layout) for value in words]
    return float(min(ends)), float(max(ends))


def _as_decoded(value: int, layout: PixelLayout) -> int:
    """Drop the bits of a padding value that decoding drops from the pixels."""
    low, high = _stored_range(layout)
    return value if low <= value <= high else (value - low) % (high - low + 1) + low
