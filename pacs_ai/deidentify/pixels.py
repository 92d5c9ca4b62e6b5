"""The pixels of a copy: decoded, so that nothing around them comes along.

Compressed frames have comments and marker segments, native ones trailing bytes and bits that are
not stored; both hold what somebody wrote there, old overlays among them. A copy has the stored
values and nothing besides: uncompressed, least significant byte first.
"""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from pacs_ai.dicom.parsed_files import ParsedFiles
from pacs_ai.dicom.pixel_layout import PixelLayout
from pacs_ai.dicom.pixels import DecodedFrame

_BYTE = 8


def put_pixels(dataset: Dataset, path: Path) -> None:
    """Decode all frames of a file into a data set, and describe them there.

    Parameters
    ----------
    dataset
        Gets the Image Pixel module (PS3.3 Section C.7.6.3).

    Raises
    ------
    UnsupportedPixels, NotDicom, StorageError
        As `pacs_ai.dicom.pixels.decode_frame` does.
    """
    files = ParsedFiles(1)
    files.header(path)  # parsed once for all frames
    first = files.decode(path, 1)
    layout = first.layout
    pieces = [_little_endian(first)]
    pieces += [_little_endian(files.decode(path, frame)) for frame in range(2, layout.frames + 1)]
    _describe(dataset, layout, first)
    pixels = b"".join(pieces)
    setattr(dataset, layout.keyword, pixels + b"\0" * (len(pixels) % 2))
    if layout.keyword == "PixelData":
        dataset["PixelData"].VR = "OW" if dataset.BitsAllocated > _BYTE else "OB"


def _little_endian(frame: DecodedFrame) -> bytes:
    values = frame.values
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes()


def _describe(dataset: Dataset, layout: PixelLayout, first: DecodedFrame) -> None:
    dataset.Rows, dataset.Columns = layout.rows, layout.columns
    dataset.SamplesPerPixel = layout.samples
    dataset.PhotometricInterpretation = layout.photometric if layout.samples == 1 else "RGB"
    if layout.samples > 1:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = first.values.dtype.itemsize * _BYTE
    if layout.keyword == "PixelData":
        dataset.BitsStored, dataset.HighBit = layout.bits_stored, layout.bits_stored - 1
        dataset.PixelRepresentation = int(layout.signed)
    if layout.frames > 1 or "PerFrameFunctionalGroupsSequence" in dataset:
        dataset.NumberOfFrames = layout.frames
