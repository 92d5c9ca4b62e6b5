"""One image as the network sees it: in training read by the very code that serves."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from pacs_ai.dicom.grey import RenderedImage
from pacs_ai.dicom.pixels import read_image
from pacs_ai.errors import DataError
from pacs_ai.model.preprocess import box_to_input, fit, scale
from pacs_ai.model.spec import InputSpec
from training.data.pool import each
from training.data.samples import Sample

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.int8]
Span = tuple[int, int, int, int]

PICTURES = frozenset({".png", ".jpg", ".jpeg"})
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, as for colour in DICOM
_NO_BOX: Span = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Images:
    """Images in memory.

    ``x`` (n, height, width, channels) float32 is what the network is fed. ``inside`` (n, height,
    width, 1) int8 is 1 in the finding's box and 0 elsewhere. ``y`` (n, classes) float32 is 1 for
    each class an image belongs to.
    """

    x: Floats
    inside: Bytes
    y: Floats


def read_input(sample: Sample, spec: InputSpec) -> Floats:
    """Read one image exactly as the node feeds it to the network.

    Returns
    -------
    Floats
        Shape (height, width, channels).

    Raises
    ------
    DataError
        If it cannot be read, or its crop lies outside of it; names the file.
    """
    grey, _ = fit_sample(sample, spec)
    x: Floats = scale(grey[None, ..., None], spec)[0]
    return x


def load_images(
    samples: Sequence[Sample], spec: InputSpec, classes: int, workers: int = 0
) -> Images:
    """Read many images into memory.

    Parameters
    ----------
    classes
        How many there are.
    workers
        Processes that read; 0 means one a processor core.

    Raises
    ------
    DataError
        As `read_input` does.
    """
    x = np.empty((len(samples), spec.height, spec.width, spec.channels), dtype=np.float32)
    inside = np.zeros((len(samples), spec.height, spec.width, 1), dtype=np.int8)
    for index, (grey, box) in enumerate(each(partial(fit_sample, spec=spec), samples, workers)):
        x[index] = scale(grey[None, ..., None], spec)[0]
        x0, y0, x1, y1 = box
        inside[index, y0:y1, x0:x1] = 1
    return Images(x, inside, multi_hot(samples, classes))


def multi_hot(samples: Sequence[Sample], classes: int) -> Floats:
    """Write labels as rows of zeros and ones, shape (n, classes)."""
    y = np.zeros((len(samples), classes), dtype=np.float32)
    for row, sample in zip(y, samples, strict=True):
        row[list(sample.labels)] = 1.0
    return y


def fit_sample(sample: Sample, spec: InputSpec) -> tuple[Floats, Span]:
    """Read one image at the network's size, before its scaling, and find its box there.

    Returns
    -------
    tuple
        Grey, shape (height, width), in [0, 1]; the box (x0, y0, x1, y1), half open, in its
        pixels, all 0 where there is none.
    """
    grey = read_grey(sample, spec.windows)
    try:
        fitted = fit(grey, spec)
    except DataError as error:
        raise DataError(f"{sample.path}: {error.message}") from error
    rows, columns = grey.shape
    return fitted, box_to_input(sample.box, rows, columns, spec) if sample.box else _NO_BOX


def read_grey(sample: Sample, windows: dict[str, tuple[float, float]] | None = None) -> Floats:
    """Read an image as `read_shown` does, without what is to be said of it."""
    return read_shown(sample, windows).grey


def read_shown(
    sample: Sample, windows: dict[str, tuple[float, float]] | None = None
) -> RenderedImage:
    """Read the part of an image that is the input, as display values in [0, 1].

    Raises
    ------
    DataError
        If it cannot be read, or its crop lies outside of it; names the file.
    """
    try:
        if sample.path.suffix.lower() in PICTURES:
            shown = RenderedImage(read_picture(sample.path))
        else:
            shown = read_image(sample.path, sample.frame + 1, windows)
    except DataError as error:
        raise DataError(f"{sample.path}: {error.message}") from error
    if sample.crop is None:
        return shown
    grey = shown.grey
    x0, y0, x1, y1 = sample.crop
    if not (0 <= x0 < x1 <= grey.shape[1] and 0 <= y0 < y1 <= grey.shape[0]):
        raise DataError(
            f"{sample.path}: the crop {sample.crop} (x0, y0, x1, y1) does not lie in the image of "
            f"{grey.shape[1]} x {grey.shape[0]} pixels; correct the row that gives the box"
        )
    return replace(shown, grey=grey[y0:y1, x0:x1])


def read_picture(path: Path) -> Floats:
    """Read a PNG or JPEG file as display values, colour as luma.

    Returns
    -------
    Floats
        Shape (rows, columns), in [0, 1].

    Raises
    ------
    DataError
        If it is damaged, cut short, or no picture.
    """
    try:
        with warnings.catch_warnings(), Image.open(path) as opened:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _grey(ImageOps.exif_transpose(opened))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombWarning) as error:
        raise DataError(f"not a whole PNG or JPEG picture ({type(error).__name__})") from error


def _grey(picture: Image.Image) -> Floats:
    if picture.mode in ("1", "L"):
        return np.asarray(picture.convert("L"), dtype=np.float32) * np.float32(1 / 255)
    if picture.mode.startswith("I"):  # 16 bits a pixel
        grey = np.asarray(picture, dtype=np.float32) * np.float32(1 / 65535)
    else:
        colours = np.asarray(picture.convert("RGB"), dtype=np.float32)
        grey = (colours @ _LUMA) * np.float32(1 / 255)
    return np.clip(grey, 0, 1, out=grey)
