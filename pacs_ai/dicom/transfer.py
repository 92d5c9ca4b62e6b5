"""What goes to a viewer: frames as they are stored or decoded, files in another transfer syntax."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import dcmread, dcmwrite
from pydicom.uid import ExplicitVRLittleEndian

from pacs_ai.dicom.files import open_file
from pacs_ai.dicom.frames import UNCOMPRESSED, read_encoded
from pacs_ai.dicom.image_pixel import read_layout
from pacs_ai.dicom.part10 import EXPLICIT_LITTLE, MAX_META, read_meta
from pacs_ai.dicom.pixels import FRAME_KEYWORDS, decode_frame
from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS, quiet
from pacs_ai.dicom.reading import read_until_pixels
from pacs_ai.errors import NotDicom, UnsupportedPixels


@dataclass(frozen=True, slots=True)
class SentFrame:
    """The bytes of a frame, and the transfer syntax that they have."""

    content: bytes
    transfer_syntax_uid: str


def sent_frame(path: Path, frame: int, *, decoded: bool) -> SentFrame:
    """Return a frame.

    Parameters
    ----------
    frame
        Counts from 1.
    decoded
        Whether a compressed frame is decoded: to samples of Bits Allocated, little endian, colours
        by pixel (PS3.18 Section 8.7.3.4). Others are sent in this form in any case.

    Raises
    ------
    UnsupportedPixels
        If there is no such frame, or it cannot be decoded.
    NotDicom, StorageError
        If the file cannot be read.
    """
    try:
        with quiet(), open_file(path) as stream:
            opened = read_until_pixels(stream, FRAME_KEYWORDS)
            syntax, pixels = opened.transfer_syntax_uid, opened.pixels
            if pixels is None:
                raise UnsupportedPixels("the instance has no pixel data")
            layout = read_layout(opened.dataset, pixels.keyword)
            if syntax not in UNCOMPRESSED and not decoded:
                return SentFrame(read_encoded(opened, layout, pixels, frame), syntax)
    except FOREIGN_ERRORS as error:
        raise UnsupportedPixels(
            f"the pixel data cannot be read ({type(error).__name__})"
        ) from error
    values = decode_frame(path, frame).values
    if layout.bits_allocated == 1:
        return SentFrame(
            np.packbits(values.astype(bool), bitorder="little").tobytes(), EXPLICIT_LITTLE
        )
    width = layout.bits_allocated // 8
    kind = values.dtype.kind if values.dtype.kind == "f" else "i" if layout.signed else "u"
    return SentFrame(values.astype(f"<{kind}{width}").tobytes(), EXPLICIT_LITTLE)


def stored_syntax(path: Path) -> str:
    """Return the transfer syntax of a file.

    Raises
    ------
    NotDicom, StorageError
        If the file cannot be read.
    """
    with open_file(path) as stream:
        return read_meta(stream.read(MAX_META)).transfer_syntax_uid


def explicit_little(path: Path) -> bytes:
    """Return an uncompressed file in Explicit VR Little Endian.

    Raises
    ------
    NotDicom, StorageError
        If the file cannot be read.
    """
    written = io.BytesIO()
    try:
        with quiet(), open_file(path) as stream:
            dataset = dcmread(stream)
            dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            dcmwrite(written, dataset, implicit_vr=False, little_endian=True)
    except FOREIGN_ERRORS as error:
        raise NotDicom(f"the file cannot be read as DICOM ({type(error).__name__})") from error
    return written.getvalue()
