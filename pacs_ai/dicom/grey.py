"""From stored values to grey: rescale, window or VOI LUT, else a stretch (PS3.3 Section C.11)."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from pacs_ai.dicom.canonical import Stored
from pacs_ai.dicom.grey_rows import Curve, Floats, GreyRows
from pacs_ai.dicom.lookup_tables import LookUpTable, apply_table
from pacs_ai.dicom.percentiles import counted_range, extremes, in_range, sampled_range
from pacs_ai.dicom.pixel_layout import PixelLayout
from pacs_ai.dicom.rendering import HOUNSFIELD, Rendering
from pacs_ai.dicom.rendering_reservation import RenderingReservation
from pacs_ai.dicom.voi import Window
from pacs_ai.errors import UnsupportedPixels

Mask = npt.NDArray[np.bool_]

DEFAULT_WINDOWS = {"CT": Window(40.0, 400.0)}
"""Windows for images that bring none, in units of the modality: soft tissue, in Hounsfield units.

Used only where the header says that the values have these units. Everything else is stretched
between two percentiles of its own values.
"""
UNITS = {"CT": HOUNSFIELD}
"""Units of a window for a modality, where the header can say whether an image has them."""

COLLAPSED = 0.02
"""Part of the display range that an image must use."""

_AIR = (-1200.0, -700.0)
"""Hounsfield units of a slice of air, which soft tissue windows show black, as it is."""

_COUNTED_BYTES = 2
_BYTE = 8  # bits
_COLLAPSE = (
    f"the picture collapses: its values differ, but they use less than {COLLAPSED:.0%} of the "
    "display range, and no window asks for that"
)


@dataclass(frozen=True, slots=True)
class RenderedImage:
    """A picture in [0, 1], and what is to be said of it."""

    rows: GreyRows
    reservations: tuple[RenderingReservation, ...] = ()

    @property
    def grey(self) -> Floats:
        """All of it, shape (rows, columns)."""
        return self.rows.whole()


def render(
    values: Stored,
    rendering: Rendering,
    layout: PixelLayout,
    windows: Mapping[str, tuple[float, float]],
    *,
    strict: bool = True,
    full_range: bool = False,
) -> RenderedImage:
    """Show stored values as the header asks, or through the window of a model.

    Parameters
    ----------
    values
        Stored values, shape (rows, columns).
    rendering, layout
        What the header says.
    windows
        Centre and width by modality, which go before what the header says wherever the image has
        the units that they are for.
    strict
        Whether a picture that collapses is refused; else it is stretched, for people to see what
        a model saw through a window of its own.
    full_range
        Whether an image of at most 8 bits that brings no window is shown as it is, and not
        stretched.

    Raises
    ------
    UnsupportedPixels
        If the picture uses next to nothing of the display range though the stored values differ,
        and no window asks for that: something in the header or here was understood wrongly.
    """
    modality = rendering.modality
    has_units = UNITS.get(modality, "") in ("", rendering.rescale.units)
    window = rendering.voi.window
    if modality in windows and has_units:
        window = Window(*windows[modality])
    reservations = [RenderingReservation.WINDOW] if rendering.voi.broken else []
    if modality in windows and not has_units:
        reservations.append(RenderingReservation.UNITS)
    if window is not None:
        grey = GreyRows.of(values, _windowed(values, rendering, window))
    elif full_range and _is_byte(rendering, layout):
        grey = GreyRows.of(values, _as_it_is(rendering, layout))
    else:
        grey = _unwindowed(values, rendering, layout, strict=strict)
    if layout.photometric == "MONOCHROME1":
        grey = grey.inverted()
    return RenderedImage(grey, (*reservations, *blank(grey)))


def blank(grey: GreyRows) -> tuple[RenderingReservation, ...]:
    """Tell of a picture that shows next to nothing, because its values or its window are so.

    It is scored: a series may begin in air. But what a model says of it alone is worth nothing.
    """
    return (RenderingReservation.BLANK,) if grey.span() < COLLAPSED else ()


def check_spread(grey: GreyRows, values: Stored) -> None:
    """Refuse a picture that shows nothing of values which differ.

    Parameters
    ----------
    grey, values
        The picture and what it was made of.
    """
    if _collapsed(grey, values, None):
        raise UnsupportedPixels(_COLLAPSE)


def _is_byte(rendering: Rendering, layout: PixelLayout) -> bool:
    """Tell whether values of at most 8 bits are shown without a table or a default window."""
    tabled = rendering.voi.table is not None or rendering.rescale.table is not None
    windowed = rendering.modality in DEFAULT_WINDOWS and bool(rendering.rescale.units)
    return (
        layout.keyword == "PixelData" and layout.bits_stored <= _BYTE and not (tabled or windowed)
    )


def _as_it_is(rendering: Rendering, layout: PixelLayout) -> Curve:
    """Show all stored values that are possible, from black to white."""
    scale = 1 / ((1 << layout.bits_stored) - 1)
    offset = 0.5 * (1 + scale) if layout.signed else 0.0
    if rendering.rescale.slope < 0:
        scale, offset = -scale, 1 - offset
    return partial(_affine, factor=scale, offset=offset)


def stretched(values: Stored) -> GreyRows:
    """Show the grey values of a picture as an image of DICOM that brings no window."""
    return GreyRows.of(values, _between_percentiles(values, None, falling=False))


def _collapsed(grey: GreyRows, values: Stored, padding: Mask | None) -> bool:
    if grey.span(padding) >= COLLAPSED:
        return False
    low, high = extremes(values if padding is None else values[~padding])
    return low < high


def _unwindowed(
    values: Stored, rendering: Rendering, layout: PixelLayout, *, strict: bool
) -> GreyRows:
    """Show values by their VOI LUT, by a default window, or stretched."""
    padding = None if rendering.padding is None else in_range(values, rendering.padding)
    if padding is not None and padding.all():
        padding = None
    default = DEFAULT_WINDOWS.get(rendering.modality) if rendering.rescale.units else None
    if rendering.voi.table is not None:
        default = None
        curve = _looked_up(values, rendering, rendering.voi.table)
    elif default is not None:
        curve = _windowed(values, rendering, default)
    else:
        curve = _stretched(values, padding, rendering, layout)
    grey = GreyRows.of(values, curve)
    if not _collapsed(grey, values, padding):
        return grey
    if default is not None and _is_air(values if padding is None else values[~padding], rendering):
        return grey
    if strict:
        raise UnsupportedPixels(_COLLAPSE)
    return GreyRows.of(values, _stretched(values, padding, rendering, layout))


def _is_air(values: Stored, rendering: Rendering) -> bool:
    rescale = rendering.rescale
    if rescale.table is not None:
        values = _tabled(values, rescale.table)
    ends = [end * rescale.slope + rescale.intercept for end in extremes(values)]
    return _AIR[0] <= min(ends) and max(ends) <= _AIR[1]


def _tabled(values: Stored, table: LookUpTable) -> Floats:
    return apply_table(values, table.reaching(*extremes(values)))


def _looked_up(values: Stored, rendering: Rendering, table: LookUpTable) -> Curve:
    rescale = rendering.rescale
    before, inputs = _modality_table(values, rendering)
    low, high = sorted(end * rescale.slope + rescale.intercept for end in extremes(inputs))
    reaching = table.reaching(low, high)

    def curve(part: Stored) -> Floats:
        grey = apply_table(before(part), reaching, rescale.slope, rescale.intercept)
        grey *= np.float32(1 / table.maximum)
        return grey

    return curve


def _windowed(values: Stored, rendering: Rendering, window: Window) -> Curve:
    rescale = rendering.rescale
    if rescale.table is None:
        return partial(_through, window, slope=rescale.slope, intercept=rescale.intercept)
    table = rescale.table.reaching(*extremes(values))
    return lambda part: _through(window, apply_table(part, table), 1.0, 0.0)


def _modality_table(
    values: Stored, rendering: Rendering
) -> tuple[Callable[[Stored], Stored], Stored]:
    """Return what applies the modality LUT, if there is one, and all values after it."""
    if rendering.rescale.table is None:
        return _unchanged, values
    table = rendering.rescale.table.reaching(*extremes(values))
    return partial(apply_table, table=table), apply_table(values, table)


def _unchanged(values: Stored) -> Stored:
    return values


def _through(window: Window, values: Stored, slope: float, intercept: float) -> Floats:
    """Apply a window and the rescale before it in one go (PS3.3 Section C.11.2.1.2, C.11.2.1.3)."""
    centre, width = window.centre, window.width
    if window.function == "SIGMOID":
        exponent = values * (-4 * slope / width) + 4 * (centre - intercept) / width
        with np.errstate(over="ignore"):
            return np.nan_to_num(1 / (1 + np.exp(exponent))).astype(np.float32)
    if window.function == "LINEAR":
        centre, width = centre - 0.5, width - 1
    if width == 0:
        return (values * slope + intercept > centre).astype(np.float32)
    return _affine(values, slope / width, (intercept - centre) / width + 0.5)


def _affine(values: Stored, factor: float, offset: float) -> Floats:
    if values.dtype.itemsize > _COUNTED_BYTES:
        # Wide values lose their low digits in float32 before the offset brings them near zero.
        wide = values * np.float64(factor)
        np.add(wide, offset, out=wide)
        return np.nan_to_num(np.clip(wide, 0, 1, out=wide)).astype(np.float32)
    out = np.empty(values.shape, dtype=np.float32)
    np.multiply(values, np.float32(factor), out=out, casting="same_kind")
    out += np.float32(offset)
    return np.clip(out, 0, 1, out=out)


def _stretched(
    values: Stored, padding: Mask | None, rendering: Rendering, layout: PixelLayout
) -> Curve:
    """Show values between two percentiles of those that are not padding."""
    if layout.bits_stored == 1:
        return partial(_affine, factor=1.0, offset=0.0)
    before, values = _modality_table(values, rendering)
    grey = _between_percentiles(values, padding, falling=rendering.rescale.slope < 0)
    return lambda part: grey(before(part))


def _between_percentiles(values: Stored, padding: Mask | None, *, falling: bool) -> Curve:
    counted = np.issubdtype(values.dtype, np.integer) and values.dtype.itemsize <= _COUNTED_BYTES
    low, high = counted_range(values, padding) if counted else sampled_range(values, padding)
    if not low < high:
        return lambda part: np.zeros(part.shape, dtype=np.float32)
    scale = 1 / (high - low)
    if not math.isfinite(scale):
        raise UnsupportedPixels("the range of the values is too large to compute with")
    rising = partial(_affine, factor=scale, offset=-low * scale)
    return (lambda part: np.float32(1) - rising(part)) if falling else rising
