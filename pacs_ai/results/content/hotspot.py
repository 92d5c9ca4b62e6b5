"""The hot areas of a heat map: pixels of the image, and rectangles around them."""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

HOT = 0.5
"""Fraction of the map's maximum from which a pixel counts as hot."""

MAX_SPOTS = 3
"""Most areas that are reported for a map, the strongest."""

Saliency = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle in an image: corners of pixels, so that (0, 0, columns, rows) is all of it."""

    left: int
    top: int
    right: int
    bottom: int

    def outline(self) -> npt.NDArray[np.float64]:
        """Corners (column, row), from the upper left clockwise and back, shape (5, 2)."""
        x0, y0, x1, y1 = self.left, self.top, self.right, self.bottom
        return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)], dtype=np.float64)

    def like(self, other: Self) -> bool:
        """Tell whether both are the same place: their intersection over union is at least 0.5."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        both = max(0, width) * max(0, height)
        return 2 * both >= self._area() + other._area() - both

    def _area(self) -> int:
        return (self.right - self.left) * (self.bottom - self.top)


def enlarge(saliency: Saliency, rows: int, columns: int) -> Saliency:
    """Give a heat map the size of its image, as the overlay shows it.

    Parameters
    ----------
    saliency
        Shape (h, w), in [0, 1].
    rows, columns
        Size of the image.

    Returns
    -------
    NDArray
        Shape (rows, columns), float32, in [0, 1].
    """
    large = cv2.resize(saliency, (columns, rows), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(large, 0.0, 1.0, out=large), dtype=np.float32)


def hot_area(saliency: Saliency, rows: int, columns: int) -> npt.NDArray[np.bool_]:
    """Return a mask of the hot pixels, shape (rows, columns)."""
    large = enlarge(saliency, rows, columns)
    return np.asarray((large >= HOT * large.max()) & (large > 0))


def hot_spots(saliency: Saliency, rows: int, columns: int) -> list[Rectangle]:
    """Find the connected hot areas, the strongest first, at most `MAX_SPOTS`.

    Parameters
    ----------
    saliency
        Shape (h, w), in [0, 1].
    rows, columns
        Size of the image.
    """
    large = enlarge(saliency, rows, columns)
    hot = ((large >= HOT * large.max()) & (large > 0)).astype(np.uint8)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(hot, connectivity=8)
    strength = [float(large[labels == label].max()) for label in range(1, count)]
    ranked = sorted(range(1, count), key=lambda label: -strength[label - 1])
    found = []
    for label in ranked[:MAX_SPOTS]:
        left, top, width, height = (int(value) for value in boxes[label][:4])
        found.append(Rectangle(left, top, left + width, top + height))
    return found
