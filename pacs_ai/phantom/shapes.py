"""Shapes that phantom anatomy is made of: soft-edged ellipsoids cut by a slice, and smooth fields.

Coordinates: x runs over [-1, 1] across the columns, y in the same unit down the rows, z over the
stack of slices. A shape may be painted over what lies beneath it or added to it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

EVERYWHERE = 1e9
"""Depth of a shape that every slice cuts at its full width, as in a projection."""

_FAR = 40.0
"""Distance from a border, in edges, at which nothing is left; `exp` does not overflow there."""

Floats = npt.NDArray[np.float64]
Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """One structure.

    ``edge`` is the softness of the border and ``ring`` the thickness of the wall of a hollow
    shape, both relative to the radius; ``ring`` 0 means solid. ``wobble`` holds pairs of amplitude
    and phase of the border's second, third, ... harmonic, which make a shape irregular.
    """

    x: float
    y: float
    rx: float
    ry: float
    value: float
    z: float = 0.0
    rz: float = EVERYWHERE
    angle: float = 0.0
    edge: float = 0.04
    ring: float = 0.0
    add: bool = False
    wobble: tuple[tuple[float, float], ...] = ()

    def scale_at(self, z: float) -> float:
        """Width of the cut at ``z`` relative to the widest one, 0 where the shape is not cut."""
        return float(np.sqrt(max(0.0, 1.0 - ((z - self.z) / self.rz) ** 2)))


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the pixels of a slice lie in the coordinates of the anatomy.

    ``zoom`` enlarges the anatomy, ``dx`` and ``dy`` move it, in units of half the image's width.
    """

    rows: int
    columns: int
    zoom: float = 1.0
    dx: float = 0.0
    dy: float = 0.0

    def axes(self) -> tuple[Floats, Floats]:
        """Coordinates (ys, xs) of the pixel centres."""
        xs = ((np.arange(self.columns) + 0.5) * 2 - self.columns) / self.columns
        ys = ((np.arange(self.rows) + 0.5) * 2 - self.rows) / self.columns
        return (ys - self.dy) / self.zoom, (xs - self.dx) / self.zoom


def paint(canvas: Floats, grid: Grid, shape: Ellipsoid, z: float = 0.0) -> None:
    """Draw the cut of a shape at depth ``z`` onto a slice, in place.

    Parameters
    ----------
    canvas
        The slice, shape (rows, columns), in the unit of ``shape.value``.
    grid
        Where its pixels lie.
    shape
        What to draw.
    z
        Depth of the slice.
    """
    cut = _cut(grid, shape, z)
    if cut is None:
        return
    window, mask = cut  # the radius, turned into the mask without another copy: this takes long
    mask -= 1
    if shape.ring > 0:
        mask /= shape.ring
        np.square(mask, out=mask)
        np.exp(np.negative(mask, out=mask), out=mask)
    else:
        mask /= shape.edge
        np.exp(np.minimum(mask, _FAR, out=mask), out=mask)
        mask += 1
        np.divide(1, mask, out=mask)
    part = canvas[window]
    mask *= shape.value if shape.add else shape.value - part
    part += mask


def box_of(grid: Grid, shape: Ellipsoid, z: float = 0.0) -> Box | None:
    """Find what `paint` would cover.

    Returns
    -------
    Box or None
        Pixels (x0, y0, x1, y1), half open; None where the shape shows nothing.
    """
    cut = _cut(grid, shape, z)
    inside = np.argwhere(cut[1] <= 1) if cut is not None else np.empty((0, 2))
    if cut is None or inside.size == 0:
        return None
    rows, columns = cut[0]
    (y0, x0), (y1, x1) = inside.min(axis=0), inside.max(axis=0) + 1
    return (
        int(x0 + columns.start),
        int(y0 + rows.start),
        int(x1 + columns.start),
        int(y1 + rows.start),
    )


def _cut(grid: Grid, shape: Ellipsoid, z: float) -> tuple[tuple[slice, slice], Floats] | None:
    """Return the part of a slice that a shape can reach, and there the distance from its centre.

    The distance is 1 on the border of the cut. None where the shape is out of reach.
    """
    scale = shape.scale_at(z)
    reach = scale * max(shape.rx, shape.ry) * (1.3 + 6 * max(shape.edge, shape.ring))
    ys, xs = grid.axes()
    rows = np.flatnonzero(np.abs(ys - shape.y) <= reach)
    columns = np.flatnonzero(np.abs(xs - shape.x) <= reach)
    if scale == 0.0 or rows.size == 0 or columns.size == 0:
        return None
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    dy, dx = (ys[window[0]] - shape.y) / scale, (xs[window[1]] - shape.x) / scale
    return window, _radius(shape, dy[:, None], dx[None, :])


def _radius(shape: Ellipsoid, dy: Floats, dx: Floats) -> Floats:
    """Distance from the centre, 1 on the border."""
    if shape.angle == 0.0:  # what depends on one axis only is cheap
        u, v = dx / shape.rx, dy / shape.ry
    else:
        c, s = np.cos(shape.angle), np.sin(shape.angle)
        u, v = (c / shape.rx) * dx + (s / shape.rx) * dy, (c / shape.ry) * dy - (s / shape.ry) * dx
    radius: Floats = np.square(u) + np.square(v)
    np.sqrt(radius, out=radius)
    if shape.wobble:
        theta = np.arctan2(v, u)
        border = 1.0 + sum(
            amplitude * np.cos(order * theta + phase)
            for order, (amplitude, phase) in enumerate(shape.wobble, start=2)
        )
        radius /= border
    return radius


def smooth_field(rng: np.random.Generator, rows: int, columns: int, cells: int) -> Floats:
    """Draw a smooth random field: texture, shading, a coil's sensitivity.

    Parameters
    ----------
    rng
        Source of chance.
    rows, columns
        Size of the field in pixels.
    cells
        How many hills and valleys fit across it.

    Returns
    -------
    Floats
        Shape (rows, columns), about zero mean and unit variance of its knots.
    """
    knots = rng.standard_normal((cells + 1, cells + 1))
    return _between(_between(knots, rows).T, columns).T


def _between(knots: Floats, length: int) -> Floats:
    """Interpolate along the first axis, with zero slope at the knots."""
    at = (np.arange(length) + 0.5) / length * (knots.shape[0] - 1)
    low = np.floor(at).astype(int)
    t = (at - low)[:, None]
    weight = t * t * (3 - 2 * t)
    mixed: Floats = knots[low] * (1 - weight) + knots[low + 1] * weight
    return mixed
