"""One frame of an instance as a grey picture in [0, 1], the input of every model."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from pacs_ai.dicom.canonical import Stored
from pacs_ai.dicom.files import open_file
from pacs_ai.dicom.frames import read_frame
from pacs_ai.dicom.grey import RenderedImage, blank, check_spread, render
from pacs_ai.dicom.grey_rows import Curve, GreyRows
from pacs_ai.dicom.image_pixel import LAYOUT_KEYWORDS, read_layout
from pacs_ai.dicom.palette import PALETTE_KEYWORDS, apply_palette
from pacs_ai.dicom.pixel_layout import PALETTE, PixelLayout
from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS, quiet
from pacs_ai.dicom.reading import Opened, read_until_pixels
from pacs_ai.dicom.rendering import RENDERING_KEYWORDS, Rendering, read_rendering
from pacs_ai.errors import NotDicom, UnsupportedPixels

FRAME_KEYWORDS = (*LAYOUT_KEYWORDS, *RENDERING_KEYWORDS, *PALETTE_KEYWORDS)
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
    full_range: bool = False,
) -> RenderedImage:
    """Read one frame as it is meant to be seen, by people or by a model with its own windows.

    This is `decode_frame` and `render_frame`, one after the other.

    Parameters
    ----------
    path, frame
        As for `decode_frame`.
    windows, strict, full_range
        As for `render_frame`.

    Raises
    ------
    UnsupportedPixels
        As both do.
    NotDicom, StorageError
        As `decode_frame` does.
    """
    decoded = decode_frame(path, frame)
    return render_frame(decoded, windows, strict=strict, full_range=full_range)


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """Stored values of one frame, and all that its header says on showing them.

    It does not depend on a window and is never changed: several pictures can be made of it.

    Attributes
    ----------
    values
        Stored values, shape (rows, columns), or (rows, columns, 3) for RGB.
    layout
        Shape and sign of the pixels.
    rendering
        Units, contrast and padding of a grey frame; None for colour.
    palette
        Header elements of the tables of colours, for a frame of PALETTE COLOR; else None.
    """

    values: Stored
    layout: PixelLayout
    rendering: Rendering | None
    palette: Dataset | None

    @property
    def nbytes(self) -> int:
        """Memory of the stored values, in bytes."""
        return int(self.values.nbytes)


def decode_frame(path: Path, frame: int = 1, parsed: Opened | None = None) -> DecodedFrame:
    """Decode one frame to its stored values; no window is applied yet.

    Parameters
    ----------
    path
        A DICOM file in any transfer syntax for which a codec is installed.
    frame
        Frame of a multi-frame image, counts from 1. No other frame is decoded.
    parsed
        The elements of `FRAME_KEYWORDS`, if the file was parsed before.

    Raises
    ------
    UnsupportedPixels
        If there are no pixels, no codec, or header and bytes contradict each other. Sizes are
        compared before anything is allocated.
    NotDicom
        If the file is no DICOM file.
    StorageError
        If the file is missing or cannot be read.

    Notes
    -----
    PS3.3 Section C.7.6.3; PS3.5 Section 8.
    """
    with _readable(), open_file(path) as stream:
        if parsed is None:
            return _decoded(read_until_pixels(stream, FRAME_KEYWORDS), frame)
        return _decoded(replace(parsed, stream=stream), frame)


def render_frame(
    decoded: DecodedFrame,
    windows: Mapping[str, tuple[float, float]] | None = None,
    *,
    strict: bool = True,
    full_range: bool = False,
) -> RenderedImage:
    """Show a decoded frame.

    Modality LUT or rescale, then the first usable window, else the VOI LUT, else a default
    (`pacs_ai.dicom.grey.DEFAULT_WINDOWS`, robust percentiles); MONOCHROME1 is inverted, colour
    becomes luma.

    Parameters
    ----------
    decoded
        Stays as it is.
    windows
        Centre and width by modality, in units of the modality, in place of what the file says. An
        image without these units is shown as the file says.
    strict
        False for a picture of an image that was analysed: what collapses is stretched, not refused.
    full_range
        Show a grey image of at most 8 bits without a window as it is, for a model that learned from
        pictures.

    Raises
    ------
    UnsupportedPixels
        If the picture collapses, or a table of colours contradicts itself.

    Notes
    -----
    PS3.3 Sections C.11.1, C.11.2.
    """
    with _readable():
        layout, values = decoded.layout, decoded.values
        if decoded.rendering is not None:
            how = {"strict": strict, "full_range": full_range}
            return render(values, decoded.rendering, layout, windows or {}, **how)
        grey = GreyRows.of(*_luma(decoded))
        if strict and (decoded.palette is not None or layout.bits_stored > _BYTE):
            check_spread(grey, values)
        return RenderedImage(grey, blank(grey))


def colours(decoded: DecodedFrame) -> npt.NDArray[np.uint8] | None:
    """Return the colours of a frame, shape (rows, columns, 3), RGB; None for a grey one.

    Raises
    ------
    UnsupportedPixels
        If a table of colours contradicts itself.
    """
    if decoded.rendering is not None:
        return None
    with _readable():
        values, layout = decoded.values, decoded.layout
        if decoded.palette is not None:
            parts = apply_palette(values, decoded.palette, signed=layout.signed)
        elif layout.bits_stored == _BYTE:
            return values.astype(np.uint8, copy=False)
        else:
            parts = values.astype(np.float32) / np.float32((1 << layout.bits_stored) - 1)
        picture: npt.NDArray[np.uint8] = np.rint(255 * np.clip(parts, 0, 1)).astype(np.uint8)
        return picture


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    """Keep foreign code quiet; what it raises is `UnsupportedPixels`."""
    try:
        with quiet():
            yield
    except FOREIGN_ERRORS as error:
        raise UnsupportedPixels(
            f"the pixel data cannot be decoded ({type(error).__name__})"
        ) from error


def _decoded(opened: Opened, frame: int) -> DecodedFrame:
    pixels = opened.pixels
    if pixels is None:
        if not opened.dataset:
            raise NotDicom("the file holds no elements of DICOM")
        raise UnsupportedPixels("the instance has no pixel data")
    layout = read_layout(opened.dataset, pixels.keyword)
    palette = layout.photometric == PALETTE
    colour = layout.samples > 1 or palette
    rendering = None if colour else read_rendering(opened.dataset, layout, frame)
    values = read_frame(opened, layout, pixels, frame).values
    return DecodedFrame(values, layout, rendering, opened.dataset if palette else None)


def _luma(decoded: DecodedFrame) -> tuple[Stored, Curve]:
    """Return colours, and what makes luma of them."""
    values, layout = decoded.values, decoded.layout
    largest = (1 << layout.bits_stored) - 1
    if decoded.palette is not None:
        values, largest = apply_palette(values, decoded.palette, signed=layout.signed), 1
    return values, partial(_luma_of, largest=largest)


def _luma_of(values: Stored, largest: int) -> npt.NDArray[np.float32]:
    grey: npt.NDArray[np.float32] = values[..., 0] * _LUMA[0]
    for channel in (1, 2):
        grey += values[..., channel] * _LUMA[channel]
    grey *= np.float32(1 / largest)
    return np.clip(grey, 0, 1, out=grey).astype(np.float32, copy=False)
