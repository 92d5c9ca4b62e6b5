"""One frame of an instance as a grey picture in [0, 1], the input of every model."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.pixels.processing import apply_color_lut

from pacs_ai.dicom.codecs import Frame, Stored
from pacs_ai.dicom.foreign import FOREIGN_ERRORS, quiet
from pacs_ai.dicom.frames import read_frame
from pacs_ai.dicom.layout import LAYOUT_KEYWORDS, PALETTE, PixelLayout, read_layout
from pacs_ai.dicom.luts import RENDERING_KEYWORDS, Rendering, Window, apply_table, read_rendering
from pacs_ai.dicom.reading import Opened, read_until_pixels
from pacs_ai.errors import NotDicom, UnsupportedPixels

DEFAULT_WINDOWS = {"CT": Window(40.0, 400.0)}
"""Windows for images that bring none, in units of the modality: soft tissue, in Hounsfield units.

Used only where a rescale slope says that the values have units. Everything else is stretched
between `LOW_PERCENTILE` and `HIGH_PERCENTILE` of its own values.
"""
LOW_PERCENTILE, HIGH_PERCENTILE = 1.0, 99.0

_PALETTE_KEYWORDS = tuple(
    f"{segmented}{colour}PaletteColorLookupTable{part}"
    for colour in ("Red", "Green", "Blue")
    for segmented, part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
)
_KEYWORDS = (*LAYOUT_KEYWORDS, *RENDERING_KEYWORDS, *_PALETTE_KEYWORDS)
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601
_COUNTED_BYTES = 2
_BLOCK = 1 << 18
_SAMPLE = 1 << 20


def read_pixels(
    path: Path, frame: int = 1, windows: Mapping[str, tuple[float, float]] | None = None
) -> npt.NDArray[np.float32]:
    """Read one frame as it is meant to be seen, by people or by a model with its own windows.

    Modality LUT or rescale, then the first window, else the VOI LUT, else a default
    (`DEFAULT_WINDOWS`, robust percentiles); MONOCHROME1 is inverted, colour becomes luma.

    Parameters
    ----------
    path
        A DICOM file in any transfer syntax for which a codec is installed.
    frame
        Frame of a multi-frame image, counts from 1. No other frame is decoded.
    windows
        Centre and width by modality, in units of the modality, in place of what the file says.

    Returns
    -------
    numpy.ndarray
        Shape (rows, columns), float32, in [0, 1], 1 is white.

    Raises
    ------
    UnsupportedPixels
        If there are no pixels, no codec, or header and bytes contradict each other. Sizes are
        compared before anything is allocated.
    NotDicom
        If the file is no DICOM file.

    Notes
    -----
    PS3.3 Sections C.7.6.3, C.11.1, C.11.2; PS3.5 Section 8.
    """
    try:
        with quiet(), path.open("rb") as stream:
            opened = read_until_pixels(stream, _KEYWORDS)
            return _grey(opened, frame, windows or {})
    except FOREIGN_ERRORS as error:
        raise UnsupportedPixels(
            f"the pixel data cannot be decoded ({type(error).__name__})"
        ) from error


def _grey(
    opened: Opened, frame: int, windows: Mapping[str, tuple[float, float]]
) -> npt.NDArray[np.float32]:
    pixels = opened.pixels
    if pixels is None:
        if not opened.dataset:
            raise NotDicom("the file holds no elements of DICOM")
        raise UnsupportedPixels("the instance has no pixel data")
    layout = read_layout(opened.dataset, pixels.keyword)
    colour = layout.samples > 1 or layout.photometric == PALETTE
    rendering = None if colour else read_rendering(opened.dataset, frame)
    decoded = read_frame(opened, layout, pixels, frame)
    if rendering is None:
        return _luma(opened, layout, decoded)
    if rendering.modality in windows:
        rendering = replace(rendering, window=Window(*windows[rendering.modality]))
    grey = _window(decoded.values, rendering, layout)
    if layout.photometric == "MONOCHROME1":
        np.subtract(np.float32(1), grey, out=grey)
    return grey


def _luma(opened: Opened, layout: PixelLayout, decoded: Frame) -> npt.NDArray[np.float32]:
    values, largest = decoded.values, (1 << layout.bits_stored) - 1
    if layout.photometric == PALETTE:
        values = apply_color_lut(values, opened.dataset)
        largest = np.iinfo(values.dtype).max
    if decoded.photometric in ("YBR_FULL", "YBR_FULL_422"):
        grey = values[..., 0].astype(np.float32)
    else:
        grey = values[..., 0] * _LUMA[0]
        for channel in (1, 2):
            grey += values[..., channel] * _LUMA[channel]
    grey *= np.float32(1 / largest)
    return np.clip(grey, 0, 1, out=grey).astype(np.float32, copy=False)


def _window(values: Stored, rendering: Rendering, layout: PixelLayout) -> npt.NDArray[np.float32]:
    slope, intercept = rendering.slope, rendering.intercept
    if rendering.modality_lut is not None:
        values, slope, intercept = apply_table(values, rendering.modality_lut), 1.0, 0.0
    window = rendering.window
    if window is None and rendering.voi_lut is not None:
        looked_up = apply_table(values * slope + intercept, rendering.voi_lut)
        return _affine(looked_up, 1 / rendering.voi_lut.maximum, 0.0)
    if window is None and rendering.rescaled:
        window = DEFAULT_WINDOWS.get(rendering.modality)
    if window is None:
        padding = rendering.padding if rendering.modality_lut is None else None
        return _stretch(values, padding, layout, falling=slope < 0)
    return _through(window, values, slope, intercept)


def _through(
    window: Window, values: Stored, slope: float, intercept: float
) -> npt.NDArray[np.float32]:
    """Apply a window and the rescale before it in one go (PS3.3 Section C.11.2.1.2, C.11.2.1.3)."""
    centre, width = window.centre, window.width
    if window.function == "SIGMOID":
        exponent = values * (-4 * slope / width) + 4 * (centre - intercept) / width
        with np.errstate(over="ignore"):
            return np.nan_to_num(1 / (1 + np.exp(exponent))).astype(np.float32)
    if window.function == "LINEAR":
        centre, width = centre - 0.5, width - 1
    if width == 0:
        return (values * slope + intercept > centre).astype(np.float32)
    return _affine(values, slope / width, (intercept - centre) / width + 0.5)


def _affine(values: Stored, factor: float, offset: float) -> npt.NDArray[np.float32]:
    out = np.empty(values.shape, dtype=np.float32)
    if values.dtype.itemsize > _COUNTED_BYTES:
        # Wide values lose their low digits in float32 before the offset brings them near zero.
        np.add(values * np.float64(factor), offset, out=out, casting="same_kind")
    else:
        np.multiply(values, np.float32(factor), out=out, casting="same_kind")
        out += np.float32(offset)
    np.clip(out, 0, 1, out=out)
    return np.nan_to_num(out, copy=False) if np.issubdtype(values.dtype, np.floating) else out


def _stretch(
    values: Stored, padding: tuple[int, int] | None, layout: PixelLayout, *, falling: bool
) -> npt.NDArray[np.float32]:
    if layout.bits_stored == 1:
        return _affine(values, 1.0, 0.0)
    counted = values.dtype.itemsize <= _COUNTED_BYTES
    low, high = _counted_range(values, padding) if counted else _sampled_range(values)
    if not low < high:
        return np.zeros(values.shape, dtype=np.float32)
    grey = _affine(values, 1 / (high - low), -low / (high - low))
    return np.subtract(np.float32(1), grey, out=grey) if falling else grey


def _counted_range(values: Stored, padding: tuple[int, int] | None) -> tuple[float, float]:
    """Percentiles by counting every value, block by block: exact, and free of large copies."""
    info = np.iinfo(values.dtype)
    counts = np.zeros(info.max - info.min + 1, dtype=np.int64)
    flat = values.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        block = flat[start : start + _BLOCK].astype(np.int64)
        counts += np.bincount(block - info.min, minlength=len(counts))
    if padding is not None:
        first, last = (min(max(value, info.min), info.max) - info.min for value in padding)
        spared = counts[first : last + 1].copy()
        counts[first : last + 1] = 0
        if not counts.any():
            counts[first : last + 1] = spared
    cumulated = np.cumsum(counts)
    low, high = (
        int(np.searchsorted(cumulated, math.ceil(cumulated[-1] * part / 100)))
        for part in (LOW_PERCENTILE, HIGH_PERCENTILE)
    )
    if low == high:
        used = np.flatnonzero(counts)
        low, high = int(used[0]), int(used[-1])
    return float(low + info.min), float(high + info.min)


def _sampled_range(values: Stored) -> tuple[float, float]:
    flat = values.reshape(-1)[:: max(1, values.size // _SAMPLE)].astype(np.float64)
    flat = flat[np.isfinite(flat)]
    if not flat.size:
        return 0.0, 0.0
    low, high = (float(part) for part in np.percentile(flat, (LOW_PERCENTILE, HIGH_PERCENTILE)))
    return (low, high) if low < high else (float(flat.min()), float(flat.max()))
