"""Look-up tables: how they are read, and how values are looked up (PS3.3 Section C.11)."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from pacs_ai.dicom.functional_groups import has_value
from pacs_ai.dicom.us_or_ss import signed_word, us_or_ss, word_values
from pacs_ai.errors import UnsupportedPixels

_DESCRIPTOR_VALUES = 3
_WORD = 1 << 16
_MAX_BITS = 16
_BYTE = 8
_BLOCK = 1 << 18


@dataclass(frozen=True, slots=True)
class LookUpTable:
    """A table: the input that its first entry belongs to, the entries, the largest output."""

    first: int
    entries: npt.NDArray[np.uint16]
    maximum: int

    def reaching(self, low: float, high: float) -> Self:
        """Return the table, its first input with the other sign where only so any value reaches it.

        Parameters
        ----------
        low, high
            Smallest and largest input.
        """
        other = replace(self, first=_other_sign(self.first))
        return other if not self._meets(low, high) and other._meets(low, high) else self

    def _meets(self, low: float, high: float) -> bool:
        return self.first <= high and low <= self.first + len(self.entries) - 1


def read_table(item: Dataset, prefix: str = "LUT", *, signed: bool) -> LookUpTable | None:
    """Read a table from its descriptor and data.

    Parameters
    ----------
    item
        Item of a Modality or VOI LUT Sequence, or a data set with a palette.
    prefix
        Keyword without ``Descriptor`` and ``Data``.
    signed
        Whether the input may be negative; see `pacs_ai.dicom.us_or_ss.us_or_ss`.

    Returns
    -------
    LookUpTable or None
        None if there is neither descriptor nor data. The largest output is that of the bits that
        are declared, unless the table ends above it or below half of it: some writers declare the
        bits in which an entry is stored, and not those that are used.

    Raises
    ------
    UnsupportedPixels
        If the descriptor is missing or contradicts the data.
    """
    descriptor = us_or_ss(item, f"{prefix}Descriptor", signed=False)
    if not descriptor and not has_value(item, f"{prefix}Data"):
        return None
    if len(descriptor) != _DESCRIPTOR_VALUES:
        raise UnsupportedPixels(f"{prefix}Descriptor has no three values")
    count, first, bits = descriptor
    entries = _entries(item, f"{prefix}Data", count or _WORD, bits)
    if entries is None or not 0 < bits <= _MAX_BITS:
        raise UnsupportedPixels(f"{prefix}Data contradicts its descriptor")
    return LookUpTable(
        signed_word(first) if signed else first, entries, _scale(int(entries.max()), bits)
    )


def apply_table(
    values: npt.NDArray[np.generic],
    table: LookUpTable,
    slope: float = 1.0,
    intercept: float = 0.0,
) -> npt.NDArray[np.float32]:
    """Look values up; those outside the table take its first or last entry.

    Parameters
    ----------
    values
        Any shape.
    slope, intercept
        Applied first, block by block: large images leave no large copies. Rounded to integers.

    Returns
    -------
    numpy.ndarray
        Outputs of the table, same shape, not scaled.
    """
    flat = values.reshape(-1)
    out = np.empty(flat.size, dtype=np.float32)
    last = table.first + len(table.entries) - 1
    for start in range(0, flat.size, _BLOCK):
        block = flat[start : start + _BLOCK].astype(np.float64)
        block *= slope
        block += intercept
        np.nan_to_num(np.rint(block, out=block), copy=False)
        np.clip(block, table.first, last, out=block)
        block -= table.first
        out[start : start + _BLOCK] = table.entries[block.astype(np.int32)]
    return out.reshape(values.shape)


def _other_sign(first: int) -> int:
    return first + _WORD if first < 0 else signed_word(first)


def _scale(largest: int, bits: int) -> int:
    declared = (1 << bits) - 1
    return largest if largest > declared or 0 < largest <= declared // 2 else declared


def _entries(item: Dataset, keyword: str, count: int, bits: int) -> npt.NDArray[np.uint16] | None:
    """Read as many entries as are declared, of one byte or of two; None if there are fewer."""
    words = word_values(item, keyword)
    if len(words) < count <= 2 * len(words) and (bits <= _BYTE or len(words) == (count + 1) // 2):
        # Two entries of a byte in a word, the lower one first. Entries of more bits are bytes only
        # where the words are exactly half as many: otherwise entries are missing.
        words = words.astype("<u2").view("u1").astype(np.int64)
    return (words[:count] & (_WORD - 1)).astype(np.uint16) if len(words) >= count else None
