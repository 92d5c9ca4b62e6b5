"""Inputs that are part of an image: boxes of findings, and how they are grown."""

from pacs_ai.errors import DataError
from training.data.samples import Box
from training.recipe.data import Crop

Span = tuple[int, int, int, int]


def crop_to(
    box: Box | None, crop: Crop | None, rows: int, columns: int, name: str
) -> tuple[Span | None, Box | None]:
    """Turn the box of a finding into a crop, and find the finding in it.

    Parameters
    ----------
    box
        (x0, y0, x1, y1), half open, in pixels of the image.
    crop
        How far it is grown; None leaves the image whole.
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
        If the box does not lie in the image.
    """
    if box is None:
        return None, None
    x0, y0, x1, y1 = box
    if min(x0, y0) < 0 or x1 > columns or y1 > rows:
        raise DataError(
            f"{name}: the box {box} (x0, y0, x1, y1) does not lie in the image of {columns} x "
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
    """Lay a stretch about its centre, shifted into the image where it fits, else clipped."""
    size = min(limit, max(1, round(length)))
    first = min(max(0, round(centre - size / 2)), limit - size)
    return first, first + size
