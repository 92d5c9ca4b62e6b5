"""A grey picture that is computed a strip of rows at a time, so that a large one takes little."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from pacs_ai.dicom.canonical import Stored

Floats = npt.NDArray[np.float32]
Curve = Callable[[Stored], Floats]
"""Gives the grey values of some rows of stored values; each pixel depends on itself alone."""

STRIP = 1 << 22
"""Pixels that are computed at a time, 16 MiB; a picture that has no more is computed at once."""


class Grey(Protocol):
    """A grey picture in [0, 1], shape (rows, columns): an array, or `GreyRows`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""

    def __getitem__(self, rows: slice, /) -> Floats:
        """Return some of its rows."""


def strips(grey: Grey) -> Iterator[slice]:
    """Divide the rows of a picture into strips of at most `STRIP` pixels."""
    rows, columns = grey.shape
    step = max(1, STRIP // columns)
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))


@dataclass(frozen=True, slots=True)
class GreyRows:
    """A grey picture; its rows are computed when they are asked for.

    Attributes
    ----------
    values
        What the rows are computed from, shape (rows, columns) or (rows, columns, 3); never changed.
    curve
        Computes them; None if ``values`` are the grey values.
    """

    values: Stored
    curve: Curve | None = None

    @classmethod
    def of(cls, values: Stored, curve: Curve) -> Self:
        """Return the picture of some values: a small one is computed now."""
        small = values.shape[0] * values.shape[1] <= STRIP
        return cls(curve(values)) if small else cls(values, curve)

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        return self.values.shape[:2]

    def __getitem__(self, rows: slice, /) -> Floats:
        """Compute some rows."""
        part = self.values[rows]
        return part if self.curve is None else self.curve(part)

    def whole(self) -> Floats:
        """Compute all rows."""
        if self.curve is None:
            return self.values
        grey = np.empty(self.shape, dtype=np.float32)
        for rows in strips(self):
            grey[rows] = self[rows]
        return grey

    def inverted(self) -> Self:
        """Return the picture with black and white changed."""
        before = self.curve
        if before is None:
            return type(self)(np.float32(1) - self.values)
        return type(self)(self.values, lambda part: np.float32(1) - before(part))

    def span(self, left_out: npt.NDArray[np.bool_] | None = None) -> np.float32:
        """Return the distance of its darkest and its brightest pixel.

        Parameters
        ----------
        left_out
            Pixels that do not count.
        """
        low, high = np.float32(1), np.float32(0)
        for rows in strips(self):
            part = self[rows]
            if left_out is not None:
                part = part[~left_out[rows]]
            high = max(high, part.max(initial=0))
            low = min(low, part.min(initial=1))
        return high - low
