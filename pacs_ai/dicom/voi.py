"""Which contrast an image asks for: its first usable window, else its VOI LUT (PS3.3 C.11.2)."""

import math
from dataclasses import dataclass

from pydicom.dataset import Dataset

from pacs_ai.dicom.functional_groups import has_value, holders
from pacs_ai.dicom.lookup_tables import LookUpTable, read_table
from pacs_ai.dicom.reading import decimals, items, text

VOI_KEYWORDS = ("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence")
MAX_NUMBER = 1e25
"""Times a stored value of 32 bits it is still a float32."""

_LEAST_LINEAR_WIDTH = 1.0
_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


@dataclass(frozen=True, slots=True)
class Window:
    """A contrast window: centre and width in units of the modality, and its curve."""

    centre: float
    width: float
    function: str = "LINEAR"

    @property
    def usable(self) -> bool:
        """Tell whether the curve is defined (C.11.2.1.2, C.11.2.1.3): LINEAR from a width of 1."""
        finite = all(
            math.isfinite(value) and abs(value) <= MAX_NUMBER for value in (self.centre, self.width)
        )
        wide = self.width > 0 and (self.function != "LINEAR" or self.width >= _LEAST_LINEAR_WIDTH)
        return finite and wide


@dataclass(frozen=True, slots=True)
class Voi:
    """What an image asks for. ``broken`` says that it has a window that is not usable."""

    window: Window | None
    table: LookUpTable | None
    broken: bool


def read_voi(dataset: Dataset, frame: int, *, signed: bool) -> Voi:
    """Find the first window of a frame that is usable, else a VOI LUT.

    Parameters
    ----------
    dataset
        Data set with the elements of `VOI_KEYWORDS` and the functional groups.
    frame
        Counts from 1; its own functional group goes before the shared one, this before the top.
    signed
        Whether the input of the VOI LUT may be negative.

    Raises
    ------
    UnsupportedPixels
        If the VOI LUT is needed and contradicts itself.
    """
    broken = False
    for holder in holders(dataset, frame, "FrameVOILUTSequence"):
        windows = _windows(holder)
        usable = next((window for window in windows if window.usable), None)
        broken = broken or (bool(windows) and usable is not windows[0])
        if usable is not None:
            return Voi(usable, None, broken)
        for item in items(holder, "VOILUTSequence")[:1]:
            table = read_table(item, signed=signed)
            if table is not None:
                return Voi(None, table, broken)
    return Voi(None, None, broken)


def _windows(voi: Dataset) -> list[Window]:
    """Every window; what is given and cannot be read is a window that is not usable."""
    given = [has_value(voi, keyword) for keyword in ("WindowCenter", "WindowWidth")]
    if not any(given):
        return []
    function = text(voi, "VOILUTFunction").strip().upper()
    function = function if function in _FUNCTIONS else "LINEAR"
    pairs = zip(decimals(voi, "WindowCenter"), decimals(voi, "WindowWidth"), strict=False)
    windows = [Window(centre, width, function) for centre, width in pairs]
    return windows or [Window(math.nan, math.nan)]
