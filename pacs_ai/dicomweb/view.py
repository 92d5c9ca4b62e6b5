"""How a picture of a frame is asked for (PS3.18 Section 8.3.5), and the picture."""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from pacs_ai.dicom.pixels import decode_frame
from pacs_ai.dicom.voi import Window
from pacs_ai.dicomweb.errors import RequestRefused
from pacs_ai.dicomweb.pictures import picture_of

FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG"}

_FUNCTIONS = {"linear": "LINEAR", "linear-exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}
_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?"
_WINDOW = re.compile(rf"({_NUMBER}),({_NUMBER})(?:,(linear|linear-exact|sigmoid))?")
_VIEWPORT = re.compile(r"([0-9]{1,5}),([0-9]{1,5})(?:,(.*))?")
_REGION = re.compile(r"([0-9]{0,5}),([0-9]{0,5})(?:,(-?[0-9]{0,5}),(-?[0-9]{0,5}))?")
_LARGEST = 8192
_QUALITY = 90
_BEST_QUALITY = 100

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class View:
    """Window, size, region and quality of a picture.

    Parameters
    ----------
    window
        In place of what the image says; colour has none.
    most
        Width and height into which the picture is fitted; None leaves its size.
    region
        Left, top, width and height of what is shown of the image, in pixels; a negative size
        mirrors it. None shows all, a size of 0 all that is left.
    larger
        Whether a small picture is made larger.
    quality
        Of JPEG, 1 to 100.
    """

    window: Window | None = None
    most: tuple[int, int] | None = None
    region: Box | None = None
    larger: bool = False
    quality: int = _QUALITY

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> "View":
        """Read the parameters of a request; unknown ones are left out.

        Raises
        ------
        RequestRefused
            If one has another form.
        """
        quality = parameters.get("quality", str(_QUALITY))
        if not re.fullmatch(r"[0-9]{1,3}", quality) or not 1 <= int(quality) <= _BEST_QUALITY:
            raise RequestRefused("quality is a number from 1 to 100")
        view = cls(window=_window(parameters.get("window", "")), quality=int(quality))
        text = parameters.get("viewport", "")
        if not text:
            return view
        given = _VIEWPORT.fullmatch(text)
        size = (int(given[1]), int(given[2])) if given else (0, 0)
        if given is None or not all(1 <= one <= _LARGEST for one in size):
            raise RequestRefused(
                f"viewport is width,height[,left,top[,width,height]] to {_LARGEST}"
            )
        return replace(view, most=size, larger=True, region=_region(given[3] or ""))


def picture(path: Path, frame: int, view: View, kind: str) -> bytes:
    """Draw a frame.

    Parameters
    ----------
    kind
        One of `FORMATS`.

    Raises
    ------
    UnsupportedPixels
        If the instance is no image, or has no such frame.
    RequestRefused
        If the region is none of the image.
    """
    drawn = picture_of(decode_frame(path, frame), view.window)
    if view.region is not None:
        drawn = _cut(drawn, view.region)
    if view.most is not None and (view.larger or max(drawn.size) > max(view.most)):
        scale = min(view.most[0] / drawn.width, view.most[1] / drawn.height)
        size = (max(1, round(drawn.width * scale)), max(1, round(drawn.height * scale)))
        drawn = drawn.resize(size, Image.Resampling.BICUBIC)
    written = io.BytesIO()
    drawn.save(written, FORMATS[kind], quality=view.quality)
    return written.getvalue()


def _window(text: str) -> Window | None:
    if not text:
        return None
    given = _WINDOW.fullmatch(text)
    if given is not None:
        centre, width = float(given[1]), float(given[2])
        window = Window(centre, width, _FUNCTIONS[given[3] or "linear"])
        if window.usable:
            return window
    raise RequestRefused("window is centre,width[,linear|linear-exact|sigmoid]")


def _region(text: str) -> Box | None:
    if not text:
        return None
    given = _REGION.fullmatch(text)
    if given is None or "-" in (given[3], given[4]):
        raise RequestRefused("the region of a viewport is left,top[,width,height] in pixels")
    left, top, width, height = (int(one or 0) for one in given.groups())
    return left, top, width, height


def _cut(drawn: Image.Image, region: Box) -> Image.Image:
    left, top, width, height = region
    right = min(drawn.width, left + abs(width)) if width else drawn.width
    bottom = min(drawn.height, top + abs(height)) if height else drawn.height
    if left >= right or top >= bottom:
        raise RequestRefused("the region of the viewport is outside of the image")
    part = drawn.crop((left, top, right, bottom))
    if width < 0:
        part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return part.transpose(Image.Transpose.FLIP_TOP_BOTTOM) if height < 0 else part
