"""The files of a study, each parsed once: for its header, and again for each of its frames."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

from pacs_ai.dicom.files import open_file
from pacs_ai.dicom.header import HEADER_KEYWORDS, header_of, read_header
from pacs_ai.dicom.pixels import FRAME_KEYWORDS, DecodedFrame, decode_frame
from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS, quiet
from pacs_ai.dicom.reading import Opened, read_until_pixels
from pacs_ai.domain import InstanceHeader

MAX_FILES = 512
"""Files whose data sets are kept, without their pixels: about 10 MB of usual headers."""

_CLOSED = BytesIO()


class ParsedFiles:
    """Reads headers and frames of files, and keeps what it parsed of the first of them.

    Parameters
    ----------
    limit
        How many files are kept; others are parsed again for each frame, with the same outcome.
    """

    def __init__(self, limit: int = MAX_FILES) -> None:
        self._limit = limit
        self._kept: dict[Path, Opened] = {}

    def header(self, path: Path, patient_path: Path | None = None) -> InstanceHeader:
        """Read what an instance is; see `read_header`."""
        opened = self._parsed(path) if patient_path is None else None
        if opened is None:
            return read_header(path, patient_path)
        with quiet():
            header = header_of(path, opened)
        if header.has_pixels:
            self._kept[path] = opened
        return header

    def decode(self, path: Path, frame: int) -> DecodedFrame:
        """Decode one frame; see `decode_frame`."""
        return decode_frame(path, frame, self._kept.get(path))

    def _parsed(self, path: Path) -> Opened | None:
        """Parse a file for header and frames; None if it cannot be, or need not."""
        if len(self._kept) >= self._limit:
            return None
        try:
            with quiet(), open_file(path) as stream:
                opened = read_until_pixels(stream, (*HEADER_KEYWORDS, *FRAME_KEYWORDS))
                # Pixels of an inflated or mended stream do not lie in the file.
                return replace(opened, stream=_CLOSED) if opened.stream is stream else None
        except FOREIGN_ERRORS:
            return None  # an element that only the frames need may be the cause
