"""JPEG Extended with 12 bits a sample, which no plugin of pydicom takes but GDCM reads."""

import gdcm  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt

from pacs_ai.dicom.codecs import JPEG_EXTENDED
from pacs_ai.dicom.layout import PixelLayout
from pacs_ai.errors import UnsupportedPixels

_EIGHT_BITS = 8


def decode_extended(source: bytes, layout: PixelLayout) -> npt.NDArray[np.uint16]:
    """Decode a grey JPEG Extended frame of 9 to 12 bits.

    Parameters
    ----------
    source
        The whole compressed frame.
    layout
        Its checked shape.

    Returns
    -------
    numpy.ndarray
        Stored values, shape (rows, columns).

    Raises
    ------
    UnsupportedPixels
        If the frame is of another kind, or GDCM returns fewer values than there are pixels.

    Notes
    -----
    ITU-T T.81 process 4; PS3.5 Section A.4.1.
    """
    if layout.samples != 1 or layout.bits_stored <= _EIGHT_BITS or layout.signed:
        raise UnsupportedPixels("this kind of JPEG Extended cannot be decoded")
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(source)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((layout.columns, layout.rows, 1))
    image.SetDataElement(element)
    image.SetPhotometricInterpretation(
        gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.GetPIType(layout.photometric))
    )
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(JPEG_EXTENDED)))
    bits = layout.bits_stored
    image.SetPixelFormat(gdcm.PixelFormat(1, layout.bits_allocated, bits, bits - 1, 0))
    # The binding returns bytes as text with surrogates.
    decoded = image.GetBuffer().encode("utf-8", "surrogateescape")
    values = np.frombuffer(decoded, dtype="<u2")
    if len(values) != layout.plane_pixels:
        raise UnsupportedPixels("the JPEG Extended frame could not be decoded")
    return values.reshape(layout.rows, layout.columns)
