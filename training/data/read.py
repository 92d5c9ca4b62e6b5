"""Read images as inputs of the network, by the same code as the node."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pacs_ai.dicom.grey import RenderedImage
from pacs_ai.dicom.grey_rows import GreyRows
from pacs_ai.dicom.pixels import read_image
from pacs_ai.errors import DataError
from pacs_ai.model.preprocess import box_to_input, fit, scale
from pacs_ai.model.spec import InputSpec
from training.data.picture_file import PICTURES, read_picture
from training.data.pool import parallel_map
from training.data.samples import Sample

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.int8]
Span = tuple[int, int, int, int]

_NO_BOX: Span = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Images:
    """Images in memory.

    ``x`` (n, height, width, channels) float32 is the input of the network. ``inside`` (n, height,
    width, 1) int8 is 1 in the box of the finding and 0 elsewhere. ``y`` (n, classes) float32 is 1
    for each class of the image, else 0.
    """

    x: Floats
    inside: Bytes
    y: Floats


def read_input(sample: Sample, spec: InputSpec) -> Floats:
    """Read one image as the input that the node would give to the network.

    Returns
    -------
    Floats
        Shape (height, width, channels), float32.

    Raises
    ------
    DataError
        If it cannot be read, or its crop is outside of it; names the file.
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
        Number of classes.
    workers
        Number of reading processes; 0 means one for each processor core.

    Raises
    ------
    DataError
        As `read_input` does.
    """
    x = np.empty((len(samples), spec.height, spec.width, spec.channels), dtype=np.float32)
    inside = np.zeros((len(samples), spec.height, spec.width, 1), dtype=np.int8)
    for index, (grey, box) in enumerate(
        parallel_map(partial(fit_sample, spec=spec), samples, workers)
    ):
        x[index] = scale(grey[None, ..., None], spec)[0]
        x0, y0, x1, y1 = box
        inside[index, y0:y1, x0:x1] = 1
    return Images(x, inside, multi_hot(samples, classes))


def multi_hot(samples: Sequence[Sample], classes: int) -> Floats:
    """Encode labels as rows of zeros and ones, -1 if uncertain, shape (n, classes), float32."""
    y = np.zeros((len(samples), classes), dtype=np.float32)
    for row, sample in zip(y, samples, strict=True):
        row[list(sample.labels)] = 1.0
        row[list(sample.uncertain)] = -1.0
    return y


def fit_sample(sample: Sample, spec: InputSpec) -> tuple[Floats, Span]:
    """Read one image at the input size, before scaling, with its box.

    Returns
    -------
    tuple
        Grey values, shape (height, width), in [0, 1]; the box (x0, y0, x1, y1), half open, in
        pixels of the input, all 0 if there is none.
    """
    grey = read_shown(sample, spec.windows, full_range=spec.full_range).grey
    refuse_not_finite(grey, sample.path)
    try:
        fitted = fit(grey, spec)
    except DataError as error:
        raise DataError(f"{sample.path}: {error.message}") from error
    rows, columns = grey.shape
    return fitted, box_to_input(sample.box, rows, columns, spec) if sample.box else _NO_BOX


def refuse_not_finite(grey: Floats, path: Path) -> None:
    """Refuse an image with a value that is infinite or not a number.

    Raises
    ------
    DataError
        Names the file.
    """
    if not np.isfinite(grey).all():
        raise DataError(f"{path}: has pixels that are not finite numbers")


def read_grey(sample: Sample, windows: dict[str, tuple[float, float]] | None = None) -> Floats:
    """Read an image as `read_shown` does, without its cautions."""
    return read_shown(sample, windows).grey


def read_shown(
    sample: Sample,
    windows: dict[str, tuple[float, float]] | None = None,
    *,
    full_range: bool | None = None,
) -> RenderedImage:
    """Read an image, or its crop, as display values in [0, 1].

    Parameters
    ----------
    sample
        The image.
    windows, full_range
        How the network sees it; see `InputSpec`. None for ``full_range``: pictures as they are, and
        images of DICOM stretched.

    Raises
    ------
    DataError
        If it cannot be read, or its crop is outside of it; names the file.
    """
    try:
        if sample.path.suffix.lower() in PICTURES:
            grey = read_picture(sample.path, full_range=full_range is not False)
            shown = RenderedImage(GreyRows(grey))
        else:
            whole = bool(full_range)
            shown = read_image(sample.path, sample.frame + 1, windows, full_range=whole)
    except DataError as error:
        raise DataError(f"{sample.path}: {error.message}") from error
    if sample.crop is None:
        return shown
    grey = shown.grey
    x0, y0, x1, y1 = sample.crop
    if not (0 <= x0 < x1 <= grey.shape[1] and 0 <= y0 < y1 <= grey.shape[0]):
        raise DataError(
            f"{sample.path}: the crop {sample.crop} (x0, y0, x1, y1) is not inside the image of "
            f"{grey.shape[1]} x {grey.shape[0]} pixels; correct the row that gives the box"
        )
    return replace(shown, rows=GreyRows(grey[y0:y1, x0:x1]))
