"""Crops: inputs that are the box of a finding with a margin."""

from pacs_ai.errors import DataError
from training.data.samples import Box
from training.recipe.data import Crop

Span = tuple[int, int, int, int]


def crop_to(
    box: Box | None, crop: Crop | None, rows: int, columns: int, name: str
) -> tuple[Span | None, Box | None]:
    """Compute the crop around the box of a finding, and the box in the crop.

    Parameters
    ----------
    box
        (x0, y0, x1, y1), half open, in pixels of the image.
    crop
        The margin and shape of the crop; None for the whole image.
    rows, columns
        Size of the image.
    name
        The file, for messages.

    Returns
    -------
    tuple
        The crop, clipped to the image, or None; the box in pixels of the input.

    Raises
    ------
    DataError
        If the box is not inside the image.
    """
    if box is None:
        return None, None
    x0, y0, x1, y1 = box
    if min(x0, y0) < 0 or x1 > columns or y1 > rows:
        raise DataError(
            f"{name}: the box {box} (x0, y0, x1, y1) is not inside the image of {columns} x "
            f"{rows} pixels; correct the row, or the recipe's box_columns"
        )
    if crop is None:
        return None, box
    wide, high = x1 - x0, y1 - y0
    margin = crop.margin * max(wide, high)
    wide, high = wide + 2 * margin, high + 2 * margin
    if crop.square:
        wide = high = max(wide, high)
    left, right = _side((x0 + x1) / 2, wide, columns)
    top, bottom = _side((y0 + y1) / 2, high, rows)
    inner = (max(x0 - left, 0.0), max(y0 - top, 0.0), x1 - left, y1 - top)
    return (left, top, right, bottom), inner


def _side(centre: float, length: float, limit: int) -> tuple[int, int]:
    """Place a side around its centre; shift it into the image if it fits, else clip it."""
    size = min(limit, max(1, round(length)))
    first = min(max(0, round(centre - size / 2)), limit - size)
    return first, first + size
