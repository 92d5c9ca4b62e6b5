"""One frame of an instance as a grey picture in [0, 1], the input of every model."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pacs_ai.dicom.canonical import Frame
from pacs_ai.dicom.files import open_file
from pacs_ai.dicom.frames import read_frame
from pacs_ai.dicom.grey import RenderedImage, blank, check_spread, render
from pacs_ai.dicom.image_pixel import LAYOUT_KEYWORDS, read_layout
from pacs_ai.dicom.palette import PALETTE_KEYWORDS, apply_palette
from pacs_ai.dicom.pixel_layout import PALETTE, PixelLayout
from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS, quiet
from pacs_ai.dicom.reading import Opened, read_until_pixels
from pacs_ai.dicom.rendering import RENDERING_KEYWORDS, read_rendering
from pacs_ai.errors import NotDicom, UnsupportedPixels

_KEYWORDS = (*LAYOUT_KEYWORDS, *RENDERING_KEYWORDS, *PALETTE_KEYWORDS)
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601
_BYTE = 8  # bits; colours of bytes are shown as they are, a white tile or a black frame among them


def read_pixels(
    path: Path,
    frame: int = 1,
    windows: Mapping[str, tuple[float, float]] | None = None,
    *,
    strict: bool = True,
) -> npt.NDArray[np.float32]:
    """Read one frame as `read_image` does, without what is to be said of it.

    Returns
    -------
    numpy.ndarray
        Shape (rows, columns), float32, in [0, 1], 1 is white.
    """
    return read_image(path, frame, windows, strict=strict).grey


def read_image(
    path: Path,
    frame: int = 1,
    windows: Mapping[str, tuple[float, float]] | None = None,
    *,
    strict: bool = True,
) -> RenderedImage:
    """Read one frame as it is meant to be seen, by people or by a model with its own windows.

    Modality LUT or rescale, then the first usable window, else the VOI LUT, else a default
    (`pacs_ai.dicom.grey.DEFAULT_WINDOWS`, robust percentiles); MONOCHROME1 is inverted, colour
    becomes luma.

    Parameters
    ----------
    path
        A DICOM file in any transfer syntax for which a codec is installed.
    frame
        Frame of a multi-frame image, counts from 1. No other frame is decoded.
    windows
        Centre and width by modality, in units of the modality, in place of what the file says. An
        image without these units is shown as the file says.
    strict
        False for a picture of an image that was analysed: what collapses is stretched, not refused.

    Raises
    ------
    UnsupportedPixels
        If there are no pixels, no codec, header and bytes contradict each other, or the picture
        collapses. Sizes are compared before anything is allocated.
    NotDicom
        If the file is no DICOM file.
    StorageError
        If the file is missing or cannot be read.

    Notes
    -----
    PS3.3 Sections C.7.6.3, C.11.1, C.11.2; PS3.5 Section 8.
    """
    try:
        with quiet(), open_file(path) as stream:
            opened = read_until_pixels(stream, _KEYWORDS)
            return _rendered(opened, frame, windows or {}, strict=strict)
    except FOREIGN_ERRORS as error:
        raise UnsupportedPixels(
            f"the pixel data cannot be decoded ({type(error).__name__})"
        ) from error


def _rendered(
    opened: Opened, frame: int, windows: Mapping[str, tuple[float, float]], *, strict: bool
) -> RenderedImage:
    pixels = opened.pixels
    if pixels is None:
        if not opened.dataset:
            raise NotDicom("the file holds no elements of DICOM")
        raise UnsupportedPixels("the instance has no pixel data")
    layout = read_layout(opened.dataset, pixels.keyword)
    colour = layout.samples > 1 or layout.photometric == PALETTE
    rendering = None if colour else read_rendering(opened.dataset, layout, frame)
    decoded = read_frame(opened, layout, pixels, frame)
    if rendering is not None:
        return render(decoded.values, rendering, layout, windows, strict=strict)
    grey = _luma(opened, layout, decoded)
    if strict and (layout.photometric == PALETTE or layout.bits_stored > _BYTE):
        check_spread(grey, decoded.values)
    return RenderedImage(grey, blank(grey))


def _luma(opened: Opened, layout: PixelLayout, decoded: Frame) -> npt.NDArray[np.float32]:
    values, largest = decoded.values, (1 << layout.bits_stored) - 1
    if layout.photometric == PALETTE:
        values, largest = apply_palette(values, opened.dataset, signed=layout.signed), 1
    grey: npt.NDArray[np.float32] = values[..., 0] * _LUMA[0]
    for channel in (1, 2):
        grey += values[..., channel] * _LUMA[channel]
    grey *= np.float32(1 / largest)
    return np.clip(grey, 0, 1, out=grey).astype(np.float32, copy=False)
