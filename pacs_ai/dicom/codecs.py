"""The codecs: which plugin of pydicom decodes what, and how it is called."""

from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from pacs_ai.dicom.codestream import check_codestream, check_rle
from pacs_ai.dicom.foreign import FOREIGN_ERRORS, catch_panic
from pacs_ai.dicom.layout import COLOUR, PixelLayout
from pacs_ai.errors import UnsupportedPixels

Stored = npt.NDArray[Any]
"""Values as stored: integers or floats of any width, (rows, columns) or (rows, columns, 3)."""

RLE = "1.2.840.10008.1.2.5"
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
_JPEG = "1.2.840.10008.1.2.4."
PLUGINS: dict[str, tuple[str, ...]] = {
    RLE: ("pylibjpeg", "pydicom"),
    _JPEG + "50": ("pillow", "gdcm"),
    JPEG_EXTENDED: ("pillow", "gdcm"),
    _JPEG + "57": ("gdcm",),
    _JPEG + "70": ("gdcm",),
    _JPEG + "80": ("pyjpegls", "gdcm"),
    _JPEG + "81": ("pyjpegls", "gdcm"),
    _JPEG + "90": ("gdcm", "pylibjpeg", "pillow"),
    _JPEG + "91": ("gdcm", "pylibjpeg", "pillow"),
    _JPEG + "201": ("pylibjpeg",),
    _JPEG + "202": ("pylibjpeg",),
    _JPEG + "203": ("pylibjpeg",),
}
"""Codecs of a transfer syntax, the fastest first. libjpeg-turbo goes before GDCM for JPEG."""

_ONLY_PLUGIN = ("",)  # what pydicom calls its own reader of uncompressed values
_EIGHT_BITS = 8


@dataclass(frozen=True, slots=True)
class Frame:
    """Stored values of one frame, and what they mean once decoded."""

    values: Stored
    photometric: str


def check_compressed(syntax: str, source: bytes, layout: PixelLayout) -> None:
    """Compare what a compressed frame says of itself with the header, before any codec sees it.

    Raises
    ------
    UnsupportedPixels
        If they differ.
    """
    if syntax == RLE:
        check_rle(source, layout.samples * layout.bits_allocated // _EIGHT_BITS)
    else:
        check_codestream(source, layout)


def decode_compressed(syntax: str, source: bytes, layout: PixelLayout) -> Frame:
    """Decode one compressed frame that `check_compressed` let through.

    Parameters
    ----------
    syntax
        Transfer syntax UID.
    source
        The frame, its fragments joined.
    layout
        The shape that the header tells.

    Raises
    ------
    UnsupportedPixels
        If no codec can read it.
    """
    if syntax == JPEG_EXTENDED and layout.bits_stored > _EIGHT_BITS:
        # Here and not above: the library is loaded only where it is needed.
        from pacs_ai.dicom.extended import decode_extended  # noqa: PLC0415

        return Frame(decode_extended(source, layout), layout.photometric)
    encapsulated = encapsulate([source], has_bot=False)
    return decode_value(syntax, encapsulated, replace(layout, frames=1))


def decode_value(
    syntax: str, value: bytes | memoryview, layout: PixelLayout, frame: int = 1, vr: str = "OW"
) -> Frame:
    """Decode a frame of a whole pixel data value.

    Parameters
    ----------
    syntax
        Transfer syntax UID.
    value
        All of the element's value.
    layout
        The shape that the header tells.
    frame
        Counts from 1.
    vr
        Of the element; matters for single bytes in big endian words.

    Raises
    ------
    UnsupportedPixels
        If no codec can read it.
    """
    decoder = get_decoder(UID(syntax))
    failure: Exception | None = None
    for plugin in PLUGINS.get(syntax, _ONLY_PLUGIN):
        try:
            with catch_panic():
                values, meaning = decoder.as_array(
                    value,
                    index=frame - 1,
                    decoding_plugin=plugin,
                    **_options(layout, vr),
                )
        except FOREIGN_ERRORS as error:
            failure = error
            continue
        return Frame(values, str(meaning["photometric_interpretation"]))
    raise UnsupportedPixels(
        f"no codec could decode the frame ({type(failure).__name__})"
    ) from failure


def _options(layout: PixelLayout, vr: str) -> dict[str, Any]:
    options: dict[str, Any] = {
        "rows": layout.rows,
        "columns": layout.columns,
        "samples_per_pixel": layout.samples,
        "photometric_interpretation": layout.photometric,
        "number_of_frames": layout.frames,
        "bits_allocated": layout.bits_allocated,
        "bits_stored": layout.bits_stored,
        "pixel_representation": int(layout.signed),
        "pixel_keyword": layout.keyword,
        "pixel_vr": vr,
    }
    if layout.photometric in COLOUR:
        options["planar_configuration"] = layout.planar
    return options


def missing_codecs() -> list[str]:
    """Return the transfer syntaxes, by name, of which no codec is installed."""
    missing = []
    for syntax, plugins in PLUGINS.items():
        available = get_decoder(UID(syntax)).available_plugins
        if not set(plugins) & set(available):
            missing.append(UID(syntax).name)
    return missing
