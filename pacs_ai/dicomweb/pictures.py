"""Decoded frames as pictures that anybody can show."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from pacs_ai.dicom.chosen_window import through_window
from pacs_ai.dicom.grey_rows import GreyRows, strips
from pacs_ai.dicom.pixels import DecodedFrame, render_frame
from pacs_ai.dicom.voi import Window

_BYTE = 8
_WHITE = 255
_GREY_AXES = 2


def picture_of(decoded: DecodedFrame, window: Window | None = None) -> Image.Image:
    """Make the picture of a frame: grey through a window, or colour as it is.

    Parameters
    ----------
    window
        A usable one, in place of what the header asks for.

    Raises
    ------
    UnsupportedPixels
        If it cannot be shown.
    """
    if decoded.values.ndim > _GREY_AXES:
        shift = max(0, decoded.layout.bits_stored - _BYTE)
        return Image.fromarray((decoded.values >> shift).astype(np.uint8))
    shown = decoded if window is None else through_window(decoded, window)
    return Image.fromarray(_bytes(render_frame(shown, strict=False).rows))


def _bytes(grey: GreyRows) -> npt.NDArray[np.uint8]:
    """Round grey values to 256 levels, some rows at a time."""
    levels = np.empty(grey.shape, dtype=np.uint8)
    for rows in strips(grey):
        levels[rows] = np.round(_WHITE * grey[rows])
    return levels
