"""From display values to what the network sees, and from its grid back to the image.

The same code runs in training and in serving. A bundle names the steps that its network was trained
on (`pacs_ai.model.spec.Preprocess`); `pacs_ai.model.steps` says what each name means.
"""

import cv2
import numpy as np
import numpy.typing as npt

from pacs_ai.dicom.grey_rows import STRIP, Grey
from pacs_ai.errors import UnsupportedPixels
from pacs_ai.model.spec import InputSpec
from pacs_ai.model.steps import RESIZES, SCALINGS, Span, inside

Floats = npt.NDArray[np.float32]


def preprocess(pixels: Grey, spec: InputSpec) -> Floats:
    """Make the network's input of one image.

    Parameters
    ----------
    pixels
        Display values in [0, 1]; 0 is black.
    spec
        What the network takes.

    Returns
    -------
    Floats
        Shape (1, height, width, channels), in the range of the scaling.

    Raises
    ------
    UnsupportedPixels
        If ``pixels`` is not one grey image of finite values.
    """
    return scale(fit(pixels, spec)[None, ..., None], spec)


def fit(pixels: Grey, spec: InputSpec) -> Floats:
    """Resize one image to the network's input, the first half of `preprocess`.

    Returns
    -------
    Floats
        Shape (height, width), in [0, 1]; black where the image does not reach.

    Raises
    ------
    UnsupportedPixels
        If ``pixels`` is not one grey image of finite values.
    """
    if len(pixels.shape) != 2 or 0 in pixels.shape:  # noqa: PLR2004 - rows and columns
        raise UnsupportedPixels(f"the model takes one grey image, got shape {pixels.shape}")
    seen = seen_box(*pixels.shape, spec)
    top, left, height, width = content_box(*seen[2:], spec)
    content = _resized(pixels, seen, (height, width))
    grey = np.zeros((spec.height, spec.width), dtype=np.float32)
    grey[top : top + height, left : left + width] = np.clip(content, 0.0, 1.0)
    return grey


def _resized(pixels: Grey, seen: Span, size: tuple[int, int]) -> Floats:
    """Resize the part of an image that is seen."""
    rows, columns = seen[2:]
    height, width = size
    shrinks = height <= rows and width <= columns
    whole_rows, whole_columns = rows % height == 0, columns % width == 0
    if shrinks and rows * columns > STRIP and whole_rows == whole_columns:
        shrunk = _shrunk_by_blocks if whole_rows else _shrunk_by_strips
        return shrunk(pixels, seen, size)
    whole = _part(pixels, seen, 0, rows)
    return _resize(whole, size, cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _resize(part: Floats, size: tuple[int, int], method: int = cv2.INTER_AREA) -> Floats:
    return np.asarray(cv2.resize(part, size[::-1], interpolation=method), dtype=np.float32)


def _shrunk_by_strips(pixels: Grey, seen: Span, size: tuple[int, int]) -> Floats:
    """Shrink a large image without having it in memory as floats.

    OpenCV shrinks the columns first and the rows second, so that two calls give the bits of one.
    This does not hold where a side shrinks by an integer: there it has another method.
    """
    rows, columns = seen[2:]
    step = max(1, STRIP // columns)
    parts = (_part(pixels, seen, start, min(step, rows - start)) for start in range(0, rows, step))
    narrow = np.concatenate([_resize(part, (len(part), size[1])) for part in parts])
    return _resize(narrow, size)


def _shrunk_by_blocks(pixels: Grey, seen: Span, size: tuple[int, int]) -> Floats:
    """Shrink a large image whose sides both shrink by integers, without having it as floats.

    OpenCV makes each pixel of one block of pixels, so that strips of whole blocks give its bits.
    """
    rows, columns = seen[2:]
    block = rows // size[0]
    step = max(1, STRIP // (columns * block)) * block
    parts = (_part(pixels, seen, start, min(step, rows - start)) for start in range(0, rows, step))
    return np.concatenate([_resize(part, (len(part) // block, size[1])) for part in parts])


def _part(pixels: Grey, seen: Span, first: int, count: int) -> Floats:
    """Return some rows of what is seen."""
    y, x, _, columns = seen
    rows = pixels[y + first : y + first + count]
    if not np.isfinite(rows).all():
        raise UnsupportedPixels("display values are not all finite")
    return np.ascontiguousarray(rows[:, x : x + columns], dtype=np.float32)


def scale(grey: Floats, spec: InputSpec) -> Floats:
    """Give grey values the range and the channels of the network, the second half of `preprocess`.

    Parameters
    ----------
    grey
        Shape (n, height, width, 1), in [0, 1].

    Returns
    -------
    Floats
        Shape (n, height, width, channels).
    """
    factor, offset = affine(spec)
    return grey * factor - offset


def affine(spec: InputSpec) -> tuple[Floats, Floats]:
    """Factor of each channel and what is taken away after, both of shape (channels,)."""
    steps = spec.steps
    scaling = SCALINGS[steps.scaling]
    factor, offset = np.array(scaling.factor), np.array(scaling.offset)
    if steps.channels == 1:
        # One channel stands for the mean colour.
        spread = 1 / np.mean(1 / factor)
        factor, offset = np.array([spread]), np.array([np.mean(offset / factor) * spread])
    return factor.astype(np.float32), offset.astype(np.float32)


def seen_box(rows: int, columns: int, spec: InputSpec) -> Span:
    """Return the part of an image that the network is shown.

    Returns
    -------
    tuple
        (top, left, height, width) in pixels of the image.
    """
    return RESIZES[spec.steps.resize].seen((rows, columns), (spec.height, spec.width))


def content_box(rows: int, columns: int, spec: InputSpec) -> Span:
    """Return the part of the network's input that an image fills; the rest is padding.

    Parameters
    ----------
    rows, columns
        Size of what is seen.
    spec
        What the network takes.

    Returns
    -------
    tuple
        (top, left, height, width) in pixels of the input.
    """
    return RESIZES[spec.steps.resize].content((rows, columns), (spec.height, spec.width))


def box_to_input(
    box: tuple[float, float, float, float], rows: int, columns: int, spec: InputSpec
) -> Span:
    """Find a box of the image in the network's input.

    Parameters
    ----------
    box
        (x0, y0, x1, y1), half open, in pixels of the image.
    rows, columns
        Size of the image.

    Returns
    -------
    tuple
        (x0, y0, x1, y1), half open, in pixels of the input: at least one pixel, unless the box
        lies wholly in what is not seen; then x0 = x1 and y0 = y1.
    """
    y, x, seen_rows, seen_columns = seen_box(rows, columns, spec)
    top, left, height, width = content_box(seen_rows, seen_columns, spec)
    x0, x1 = _span(box[0] - x, box[2] - x, seen_columns, left, width)
    y0, y1 = _span(box[1] - y, box[3] - y, seen_rows, top, height)
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else (0, 0, 0, 0)


def _span(first: float, last: float, seen: int, start: int, length: int) -> tuple[int, int]:
    if last <= 0 or first >= seen:
        return 0, 0
    low = round(start + max(first, 0.0) * length / seen)
    high = round(start + min(last, seen) * length / seen)
    low = min(low, start + length - 1)
    return low, max(high, low + 1)


def saliency_to_image(saliency: Floats, rows: int, columns: int, spec: InputSpec) -> Floats:
    """Undo the resize: turn maps of the network's grid into maps of the image's rectangle.

    Parameters
    ----------
    saliency
        Maps on the grid of the last features, shape (classes, h, w), in [0, 1].
    rows, columns
        Size of the image that was preprocessed.
    spec
        What the network takes.

    Returns
    -------
    Floats
        Shape (classes, height, width), small, with the aspect of the image: each map covers the
        whole image and nothing but it, so stretching it over the image puts every value where it
        belongs. In [0, 1] with peak 1, or all zero; zero where the network was shown nothing.
    """
    y, x, seen_rows, seen_columns = seen_box(rows, columns, spec)
    top, left, height, width = content_box(seen_rows, seen_columns, spec)
    map_rows, map_columns = inside((rows, columns), (spec.height, spec.width))
    y0, y1 = _share(y, seen_rows, rows, map_rows)
    x0, x1 = _share(x, seen_columns, columns, map_columns)
    maps = np.zeros((saliency.shape[0], map_rows, map_columns), dtype=np.float32)
    for index, grid in enumerate(saliency):
        full = cv2.resize(grid, (spec.width, spec.height), interpolation=cv2.INTER_LINEAR)
        part = full[top : top + height, left : left + width]
        if part.shape != (y1 - y0, x1 - x0):
            part = cv2.resize(part, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
        peak = float(part.max())
        if peak > 0:
            maps[index, y0:y1, x0:x1] = part / peak
    return maps


def _share(start: int, length: int, whole: int, cells: int) -> tuple[int, int]:
    """Where a part of a side lies on a map that covers the side with ``cells`` cells."""
    first = min(round(start * cells / whole), cells - 1)
    return first, max(first + 1, round((start + length) * cells / whole))
