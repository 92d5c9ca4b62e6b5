"""Keeps pydicom and the codecs below it from printing warnings and messages."""

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from pydicom.errors import BytesLengthException, InvalidDicomError

from pacs_ai.dicom.codec_errors import CODEC_ERRORS

# Its records quote the values it stumbles over, which may be a patient's.
logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)

FOREIGN_ERRORS: tuple[type[Exception], ...] = (
    *CODEC_ERRORS,
    BytesLengthException,
    InvalidDicomError,
)
"""Everything that pydicom, numpy and the codecs were seen to raise on hostile input."""

_lock = threading.Lock()
_depth = 0
_silence = warnings.catch_warnings()


@contextmanager
def quiet() -> Iterator[None]:
    """Drop warnings while foreign code reads; they quote values. Any number of threads may enter.

    Notes
    -----
    ``warnings.catch_warnings`` changes the whole process, so the first that enters sets the
    filter and the last that leaves restores it.
    """
    global _depth, _silence  # noqa: PLW0603  (the filter it guards is process-wide as well)
    with _lock:
        if _depth == 0:
            _silence = warnings.catch_warnings()
            _silence.__enter__()
            warnings.simplefilter("ignore")
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                _silence.__exit__(None, None, None)
