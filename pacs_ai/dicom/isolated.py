"""Decoding in a process of its own, because codecs in C and C++ die of damaged frames.

GDCM ends the process on some of them, CharLS works for minutes on others, and both write to
standard error as they please. The child is started with the first compressed image, lives as long
as its parent, serves one frame at a time, and ends itself when a frame takes too long. It is
asked in a frame of ours: a length, a line of JSON, the bytes.
"""

import atexit
import json
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
from dataclasses import asdict
from typing import IO, Any

import numpy as np

from pacs_ai.dicom.codecs import Frame, decode_compressed
from pacs_ai.dicom.foreign import FOREIGN_ERRORS, quiet
from pacs_ai.dicom.layout import PixelLayout
from pacs_ai.errors import UnsupportedPixels

SECONDS = 10
"""Time for one frame, and as much again for every `PIXELS_PER_SHARE` of its pixels."""

PIXELS_PER_SHARE = 4_000_000
_MEMORY = 4 * 1024**3
_HEAD = struct.Struct("<IQ")
_COMMAND = (sys.executable, "-c", f"from {__name__} import serve; serve()")


class _Helper:
    """The child process of this process, if it has one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.child: subprocess.Popen[bytes] | None = None
        self.owner = 0

    def ask(self, about: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        """Send one job and wait for its answer."""
        with self.lock:
            child = self._running()
            try:
                return _exchange(child, about, data)
            except (OSError, EOFError) as error:
                self.stop()
                raise UnsupportedPixels("the codec crashed or took too long") from error

    def _running(self) -> subprocess.Popen[bytes]:
        child = self.child
        # After a fork the child belongs to the parent: two may not talk to it.
        if child is None or child.poll() is not None or self.owner != os.getpid():
            child = subprocess.Popen(  # noqa: S603  (this interpreter, this module)
                _COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            self.child, self.owner = child, os.getpid()
        return child

    def stop(self) -> None:
        """End the child, if it is ours."""
        child, self.child = self.child, None
        if child is None or self.owner != os.getpid():
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                _close(pipe)


_helper = _Helper()
atexit.register(_helper.stop)


def decode_isolated(syntax: str, source: bytes, layout: PixelLayout) -> Frame:
    """Decode one compressed frame in the child process.

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
        If no codec can read it, or the codec crashed or took longer than `SECONDS`.
    """
    seconds = SECONDS * (1 + layout.plane_pixels // PIXELS_PER_SHARE)
    about = {"syntax": syntax, "layout": asdict(layout), "seconds": seconds}
    answer, data = _helper.ask(about, source)
    if "error" in answer:
        raise UnsupportedPixels(str(answer["error"]))
    values = np.frombuffer(data, dtype=answer["dtype"]).reshape(answer["shape"])
    return Frame(values, str(answer["photometric"]))


def serve() -> None:
    """Decode what comes in until nobody asks any more: the child's whole life."""
    source = sys.stdin.buffer
    # Codecs may print: what they print must not get between the answers.
    target = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    while True:
        try:
            about, data = _receive(source)
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_REAL, about["seconds"])
        answer, values = _decode(about, data)
        signal.setitimer(signal.ITIMER_REAL, 0)
        _send(target, answer, values)


def _decode(about: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    try:
        with quiet():
            frame = decode_compressed(about["syntax"], data, PixelLayout(**about["layout"]))
    except UnsupportedPixels as error:
        return {"error": error.message}, b""
    except FOREIGN_ERRORS as error:
        return {"error": f"the codec failed ({type(error).__name__})"}, b""
    values = frame.values
    about = {"dtype": values.dtype.str, "shape": values.shape, "photometric": frame.photometric}
    return about, values.tobytes()


def _exchange(
    child: subprocess.Popen[bytes], about: dict[str, Any], data: bytes
) -> tuple[dict[str, Any], bytes]:
    if child.stdin is None or child.stdout is None:
        raise EOFError
    _send(child.stdin, about, data)
    return _receive(child.stdout)


def _send(stream: IO[bytes], about: dict[str, Any], data: bytes) -> None:
    head = json.dumps(about).encode()
    stream.write(_HEAD.pack(len(head), len(data)) + head)
    stream.write(data)
    stream.flush()


def _receive(stream: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    head, size = _HEAD.unpack(_exactly(stream, _HEAD.size))
    about = json.loads(_exactly(stream, head))
    return about, _exactly(stream, size)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data: bytes = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except BrokenPipeError:
        # What the dead child did not read is lost with it.
        return
