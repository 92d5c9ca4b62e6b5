"""Pictures of stored frames: an image through a window, or the heat map that lies over it."""

import io
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pacs_ai.dicom.chosen_window import WindowRange, window_range
from pacs_ai.dicom.pixel_spacing import read_aspect
from pacs_ai.dicom.pixels import DecodedFrame, decode_frame
from pacs_ai.dicom.voi import Window
from pacs_ai.dicomweb.pictures import picture_of
from pacs_ai.results.images.colours import STEPS, heat_colours
from pacs_ai.results.images.picture_geometry import undistorted
from pacs_ai.results.images.read_picture import image_size

LONGEST = 1024
"""Longest side of a picture: more does not fit beside another one."""

_KEPT_BYTES = 64 << 20
_QUALITY = 90
_Key = tuple[Path, int]


@dataclass(frozen=True, slots=True)
class _Decoded:
    frame: DecodedFrame
    aspect: float


class RecentFrames:
    """Frames that were decoded last: whoever changes the window asks for the same one again.

    Parameters
    ----------
    limit
        Bytes of stored values.
    """

    def __init__(self, limit: int = _KEPT_BYTES) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._frames: OrderedDict[_Key, _Decoded] = OrderedDict()

    def picture(self, path: Path, frame: int, window: Window | None) -> bytes:
        """Make the picture of an image, as JPEG with square pixels.

        Parameters
        ----------
        window
            One that is usable; None for what the header asks for.

        Raises
        ------
        UnsupportedPixels, NotDicom, StorageError
            As `decode_frame` does.
        """
        decoded = self._decoded(path, frame)
        picture = picture_of(decoded.frame, window)
        rows, columns = undistorted(picture.height, picture.width, decoded.aspect)
        scale = min(1.0, LONGEST / max(rows, columns))
        size = max(1, round(columns * scale)), max(1, round(rows * scale))
        if picture.size != size:
            picture = picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        return _written(picture, "JPEG")

    def window(self, path: Path, frame: int) -> WindowRange | None:
        """Return what the window of an image can be; None for colour."""
        return window_range(self._decoded(path, frame).frame)

    def _decoded(self, path: Path, frame: int) -> _Decoded:
        with self._lock:
            if (path, frame) in self._frames:
                self._frames.move_to_end((path, frame))
                return self._frames[path, frame]
        made = _Decoded(decode_frame(path, frame), read_aspect(path, frame))
        with self._lock:
            self._frames[path, frame] = made
            while sum(one.frame.nbytes for one in self._frames.values()) > self._limit:
                self._frames.popitem(last=False)
        return made


def overlay(path: Path, frame: int) -> bytes:
    """Make the picture that lies over an image, as PNG.

    Parameters
    ----------
    path
        A parametric map, of which the stronger parts are the less transparent; or a capture, whose
        image is opaque. What is written beside the image is left out.

    Raises
    ------
    UnsupportedPixels, NotDicom, StorageError
        As `decode_frame` does.
    """
    values = decode_frame(path, frame).values
    if values.dtype.kind != "f":
        shown = image_size(path) or values.shape[:2]
        picture = Image.fromarray(values[: shown[0], : shown[1]])
        picture.thumbnail((LONGEST, LONGEST))
        return _written(picture, "PNG")
    heat = Image.fromarray(np.clip(np.nan_to_num(values), 0, 1).astype(np.float32))
    heat.thumbnail((LONGEST, LONGEST), Image.Resampling.BILINEAR)
    steps = np.rint(np.asarray(heat) * (STEPS - 1)).astype(np.uint8)
    coloured = np.dstack([heat_colours()[steps], steps])
    return _written(Image.fromarray(coloured), "PNG")


def _written(picture: Image.Image, kind: str) -> bytes:
    content = io.BytesIO()
    picture.save(content, kind, quality=_QUALITY)
    return content.getvalue()
