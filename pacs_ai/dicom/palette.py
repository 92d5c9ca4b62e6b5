"""Palette colour: stored values are looked up in a table for each colour (PS3.3 C.7.9)."""

import numpy as np
import numpy.typing as npt
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut
from pydicom.tag import Tag

from pacs_ai.dicom.lookup_tables import LookUpTable, apply_table, read_table
from pacs_ai.dicom.us_or_ss import us_or_ss
from pacs_ai.errors import UnsupportedPixels

_COLOURS = tuple(f"{colour}PaletteColorLookupTable" for colour in ("Red", "Green", "Blue"))
PALETTE_KEYWORDS = tuple(
    keyword
    for table in _COLOURS
    for keyword in (f"{table}Descriptor", f"{table}Data", f"Segmented{table}Data")
)
_BYTE = 255


def apply_palette(
    values: npt.NDArray[np.integer], dataset: Dataset, *, signed: bool
) -> npt.NDArray[np.float32]:
    """Turn stored values into colours.

    Parameters
    ----------
    values
        Shape (rows, columns).
    dataset
        With the elements of `PALETTE_KEYWORDS`.
    signed
        Pixel Representation; the first input of a table has the same sign (C.7.6.3.1.5).

    Returns
    -------
    numpy.ndarray
        RGB in [0, 1], shape (rows, columns, 3).

    Raises
    ------
    UnsupportedPixels
        If a table is missing or contradicts its descriptor.
    """
    if f"Segmented{_COLOURS[0]}Data" in dataset:
        return _segmented(values, dataset, signed=signed)
    tables = [read_table(dataset, colour, signed=signed) for colour in _COLOURS]
    low, high = float(values.min()), float(values.max())
    channels = [_table(table).reaching(low, high) for table in tables]
    colours = np.stack([apply_table(values, table) for table in channels], axis=-1)
    _, _, bits = us_or_ss(dataset, f"{_COLOURS[0]}Descriptor", signed=False)
    largest = max(int(table.entries.max()) for table in channels)
    if largest > _BYTE:
        return colours / np.float32(max((1 << bits) - 1, largest))
    return colours / np.float32(_BYTE)  # also where the words are declared that hold the bytes


def _table(table: LookUpTable | None) -> LookUpTable:
    if table is None:
        raise UnsupportedPixels("a colour of the palette is missing")
    return table


def _segmented(
    values: npt.NDArray[np.integer], dataset: Dataset, *, signed: bool
) -> npt.NDArray[np.float32]:
    """Leave the expansion to pydicom, which takes the descriptor's sign as it is written."""
    for colour in _COLOURS:
        tag = Tag(f"{colour}Descriptor")
        descriptor = us_or_ss(dataset, f"{colour}Descriptor", signed=signed)
        count, *rest = descriptor or (0,)
        words = [count & 0xFFFF, *rest]
        dataset[tag] = DataElement(tag, "SS" if signed else "US", words)
    colours = apply_color_lut(values, dataset)
    return colours.astype(np.float32) / np.float32(np.iinfo(colours.dtype).max)
