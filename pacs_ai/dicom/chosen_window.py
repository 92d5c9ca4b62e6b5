"""Show a decoded frame through a window that a person chooses."""

from dataclasses import dataclass, replace

from pacs_ai.dicom.grey import DEFAULT_WINDOWS, UNITS
from pacs_ai.dicom.lookup_tables import apply_table
from pacs_ai.dicom.percentiles import extremes
from pacs_ai.dicom.pixels import DecodedFrame
from pacs_ai.dicom.rendering import Rendering
from pacs_ai.dicom.voi import Voi, Window


@dataclass(frozen=True, slots=True)
class WindowRange:
    """What a window of a frame can be: ``low`` and ``high`` are the values that occur.

    All are in units of the modality; ``units`` is HU, or "" for all others. ``centre`` and
    ``width`` show the image as its header asks, or, if it asks for nothing, all values.
    """

    low: float
    high: float
    centre: float
    width: float
    units: str


def window_range(decoded: DecodedFrame) -> WindowRange | None:
    """Return the window of a frame, and what it can be; None for colour."""
    rendering = decoded.rendering
    if rendering is None:
        return None
    low, high = sorted(_values(rendering, decoded))
    window = rendering.voi.window
    units = rendering.rescale.units
    if window is None and units and units == UNITS.get(rendering.modality):
        window = DEFAULT_WINDOWS.get(rendering.modality)
    window = window or Window((low + high) / 2, max(high - low, 1e-6))
    return WindowRange(low, high, window.centre, window.width, units)


def through_window(decoded: DecodedFrame, window: Window) -> DecodedFrame:
    """Return a frame that asks for another window, a usable one; one of colours stays as it is."""
    if decoded.rendering is None:
        return decoded
    voi = Voi(window, None, broken=False)
    return replace(decoded, rendering=replace(decoded.rendering, voi=voi))


def _values(rendering: Rendering, decoded: DecodedFrame) -> list[float]:
    """Smallest and largest value after the rescale."""
    ends = extremes(decoded.values)
    rescale = rendering.rescale
    if rescale.table is not None:
        return list(extremes(apply_table(decoded.values, rescale.table.reaching(*ends))))
    return [end * rescale.slope + rescale.intercept for end in ends]
