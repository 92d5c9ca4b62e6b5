"""Keep what TensorFlow says about itself out of the display of a command."""

import atexit
import logging
import os
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import BinaryIO

_CHATTER = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\)"
    rb"|[IW]\d{4} [\d:.]+ +\d+ \S+:\d+\] "  # absl: information and warnings
    rb"|\d{4}-\d\d-\d\d [\d:.]+: [IW] "  # the form of older versions
    rb"|To enable the following instructions: .* rebuild TensorFlow"
    rb"|E\d{4} .*\] NodeDef mentions attribute use_unbounded_threadpool"
    rb"|E\d{4} .*\] Unable to register cu\w+ factory"
)
_RETRACING = re.compile(r"\d+ out of the last \d+ calls to ")
_ERROR = 2


def is_chatter(line: bytes) -> bool:
    """Tell whether a line is one that TensorFlow writes when nothing is wrong."""
    return _CHATTER.match(line) is not None


def _is_no_retracing(record: logging.LogRecord) -> bool:
    return _RETRACING.match(record.getMessage()) is None


def relay(lines: Iterable[bytes], out: BinaryIO) -> None:
    """Write all lines but those that are chatter."""
    for line in lines:
        if not is_chatter(line):
            out.write(line)
            out.flush()


def hide_chatter() -> None:
    """Filter what libraries write to standard error, from now to the end of the process.

    C++ code writes to the descriptor itself, so the descriptor becomes a pipe. A process of its own
    reads it: the last words of a process that is killed or aborts still arrive. Python's own
    standard error, with the display, goes past the pipe. Nothing happens if something else has
    replaced standard error.
    """
    logging.getLogger("tensorflow").addFilter(_is_no_retracing)
    own = sys.__stderr__
    if own is None or sys.stderr is not own or own.fileno() != _ERROR:
        return
    own.flush()
    shown = os.dup(_ERROR)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _relay_until_closed(reading, writing, shown)
    os.close(reading)
    os.dup2(writing, _ERROR)
    os.close(writing)
    sys.stderr = os.fdopen(shown, "w", 1, own.encoding, "backslashreplace")
    atexit.register(_end, child, shown)


def _relay_until_closed(reading: int, writing: int, shown: int) -> None:
    """Be the process that relays; it ends when all others have closed the pipe."""
    try:
        os.close(writing)
        os.close(_ERROR)
        os.setsid()  # Ctrl-C is for the command, whose last words are to be shown
        with os.fdopen(reading, "rb") as lines, os.fdopen(shown, "wb", buffering=0) as out:
            relay(lines, out)
    finally:
        os._exit(0)


def _end(child: int, shown: int) -> None:
    """Restore standard error, and wait until everything in the pipe was shown."""
    sys.stderr.flush()
    os.dup2(shown, _ERROR)
    with suppress(ChildProcessError):
        os.waitpid(child, 0)
