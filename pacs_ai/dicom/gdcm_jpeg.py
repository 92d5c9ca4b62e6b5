"""Lossless JPEG, and JPEG Extended with 12 bits a sample: what GDCM is needed for."""

import gdcm  # type: ignore[import-untyped]

from pacs_ai.dicom.codestream import Codestream

_BYTE = 8


def decode_gdcm(syntax: str, source: bytes, stream: Codestream) -> bytes:
    """Decode a frame with GDCM.

    Parameters
    ----------
    syntax
        Transfer syntax UID, the one that fits the codestream.
    source
        The whole compressed frame.
    stream
        Its head; sizes and bits are taken from it, not from the header of the instance.

    Returns
    -------
    bytes
        Components as they were encoded, by pixel, in one or two bytes (little endian) each.

    Raises
    ------
    AttributeError
        If GDCM cannot decode it: it returns nothing then.

    Notes
    -----
    ITU-T T.81 processes 4 and 14; PS3.5 Section A.4.1.
    """
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(source)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((stream.columns, stream.rows, 1))
    image.SetDataElement(element)
    kind = "MONOCHROME2" if stream.components == 1 else "RGB"
    image.SetPhotometricInterpretation(
        gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.GetPIType(kind))
    )
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    # It ends the process where one byte is allocated and fewer bits are stored.
    allocated, bits = (_BYTE, _BYTE) if stream.bits <= _BYTE else (2 * _BYTE, stream.bits)
    image.SetPixelFormat(gdcm.PixelFormat(stream.components, allocated, bits, bits - 1, 0))
    # The binding returns bytes as text with surrogates.
    decoded: bytes = image.GetBuffer().encode("utf-8", "surrogateescape")
    return decoded
