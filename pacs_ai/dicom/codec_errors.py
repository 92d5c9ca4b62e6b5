"""What codecs raise, known without loading pydicom: the decoding process needs nothing more."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

CODEC_ERRORS: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SystemError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""Everything that numpy and the codecs were seen to raise on hostile input."""

_PANIC_MODULE = "pyo3_runtime"


class CodecPanic(RuntimeError):
    """A codec written in Rust gave up; its own exception would pass every ``except Exception``."""


@contextmanager
def catch_panic() -> Iterator[None]:
    """Turn the panic of a codec written in Rust into an ordinary error."""
    try:
        yield
    except BaseException as error:
        if type(error).__module__ != _PANIC_MODULE:
            raise
        raise CodecPanic("a codec gave up on its input") from error
