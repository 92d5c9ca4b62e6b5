"""Ramps of stored values, and what PS3.3 Section C.11 makes of them, in float64."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tests.unit.dicom.conftest import Make

Values = npt.NDArray[np.generic]
Floats = npt.NDArray[np.float64]

SYNTAXES = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)
TWELVE = np.arange(0, 4096, 4, dtype="u2").reshape(32, 32)
SIGNED = (np.arange(1024, dtype="i2") * 4 - 2048).reshape(32, 32)
SIXTEEN = (np.arange(1024, dtype="u4") * 64).astype("u2").reshape(32, 32)
BYTES = (np.arange(1024) // 4).astype("u1").reshape(32, 32)


def ramp(
    make: Make, stored: Values, syntax: str = ExplicitVRLittleEndian, **elements: object
) -> Path:
    """Write an MR image of these stored values; of three dimensions the first counts frames."""
    rows, columns = stored.shape[-2:]
    bits = stored.dtype.itemsize * 8
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    shape: dict[str, object] = {"Rows": rows, "Columns": columns, "BitsAllocated": bits}
    if stored.ndim > 2:
        shape["NumberOfFrames"] = len(stored)
    pixels = stored.astype(stored.dtype.newbyteorder(order)).tobytes()
    if stored.dtype.kind == "f":
        keyword = "FloatPixelData" if bits == 32 else "DoubleFloatPixelData"
        shape |= {"PixelData": None, keyword: pixels}
    else:
        twelve = bits == 16 and stored.min() >= 0 and stored.max() < 4096
        shape |= {"PixelData": pixels, "BitsStored": 12 if twelve else bits}
        shape |= {"HighBit": 11 if twelve else bits - 1}
        shape |= {"PixelRepresentation": int(stored.dtype.kind == "i")}
    return make(syntax, **{"Modality": "MR", **shape, **elements})


def item(**values: object) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def word(keyword: str, value: int, vr: str) -> DataElement:
    """Make an element with the bits of ``value`` in one VR or the other, right or wrong."""
    return DataElement(Tag(keyword), vr, _in_vr(value, vr))


def _in_vr(value: int, vr: str) -> int:
    bits = value & 0xFFFF
    return bits - 0x10000 if vr == "SS" and bits >= 0x8000 else bits


def descriptor(holder: Dataset, keyword: str, values: Sequence[int], vr: str) -> None:
    """Write a descriptor with the bits of ``values`` in one VR or the other, right or wrong."""
    count, first, bits = values
    holder.add_new(keyword, vr, [count, _in_vr(first, vr), bits])


def table(
    first: int,
    entries: Values,
    bits: int,
    vr: str = "US",
    syntax: str = ExplicitVRLittleEndian,
) -> list[Dataset]:
    """Make a sequence of one look-up table; entries of one byte are packed."""
    made = Dataset()
    descriptor(made, "LUTDescriptor", (len(entries), first, bits), vr)
    made.LUTData = as_words(entries, syntax)
    made["LUTData"].VR = "OW"
    return [made]


def as_words(entries: Values, syntax: str) -> bytes:
    """Write entries of one or two bytes as OW; two bytes of a word change places in big endian."""
    data = entries.astype(entries.dtype.newbyteorder("<")).tobytes()
    data += b"\0" * (len(data) % 2)
    if syntax != ExplicitVRBigEndian:
        return data
    return np.frombuffer(data, "<u2").astype(">u2").tobytes()


def linear(x: Values, centre: float, width: float) -> Floats:
    """C.11.2.1.2.1, for an output between 0 and 1."""
    x = x.astype(np.float64)
    inside = (x - (centre - 0.5)) / (width - 1) + 0.5 if width > 1 else np.zeros(x.shape)
    low, high = centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
    return np.where(x <= low, 0, np.where(x > high, 1, inside))


def exact(x: Values, centre: float, width: float) -> Floats:
    """C.11.2.1.3.2."""
    x = x.astype(np.float64)
    inside = (x - centre) / width + 0.5
    return np.where(x <= centre - width / 2, 0, np.where(x > centre + width / 2, 1, inside))


def sigmoid(x: Values, centre: float, width: float) -> Floats:
    """C.11.2.1.3.1."""
    return np.asarray(1 / (1 + np.exp(-4 * (x.astype(np.float64) - centre) / width)))


def looked_up(x: Values, first: int, entries: Values) -> Floats:
    """C.11.2.1.1: below the table its first entry counts, above it the last."""
    index = np.clip(np.rint(x.astype(np.float64)) - first, 0, len(entries) - 1).astype(int)
    return entries[index].astype(np.float64)


def stretched(x: Values, used: Values | None = None) -> Floats:
    """From the first to the 99th percentile (nearest rank) of the values that are used."""
    ordered = np.sort((x if used is None else used).astype(np.float64).ravel())
    low, high = (ordered[int(np.ceil(len(ordered) * part)) - 1] for part in (0.01, 0.99))
    return np.clip((x.astype(np.float64) - low) / (high - low), 0, 1)
