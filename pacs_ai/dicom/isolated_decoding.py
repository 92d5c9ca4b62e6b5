"""Decoding in a process of its own, because codecs in C and C++ die of damaged frames.

GDCM ends the process on some of them, CharLS works for minutes on others, and both write to
standard error as they please. Uncompressed frames go the same way, so that there is one way, with
one bound of memory and time. The process is started with the first image, lives as long as its
parent, serves one frame at a time, and ends itself when a frame takes too long.
"""

import atexit
import math
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from typing import Any, BinaryIO

import numpy as np

from pacs_ai.dicom.canonical import Frame
from pacs_ai.dicom.decoding_message import new_region, receive, send
from pacs_ai.dicom.pixel_layout import Task
from pacs_ai.errors import StorageError, UnsupportedPixels

SECONDS = 10
"""Time limit for one frame. Each `PIXELS_PER_SHARE` pixels of the frame add the same time."""

PIXELS_PER_SHARE = 4_000_000
_PATIENCE = 2
_DYING = 2.0
_COMMAND = "from pacs_ai.dicom.decoding_process import serve; serve({})"


class _Helper:
    """The decoding process of this process, if it has one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.child: subprocess.Popen[bytes] | None = None
        self.channel: socket.socket | None = None
        self.owner = 0

    def ask(
        self, about: dict[str, Any], region: int, size: int
    ) -> tuple[dict[str, Any], mmap.mmap | None]:
        """Send one task and wait for its answer."""
        with self.lock:
            channel = self._running()
            try:
                # It ends itself in time; this is for one that is stopped, and cannot.
                channel.settimeout(_PATIENCE * (about["seconds"] + SECONDS))
                send(channel, about, region, size)
                return receive(channel)
            except (OSError, EOFError, ValueError) as error:
                disturbed = self._disturbed()
                self.stop()
                if disturbed:
                    raise StorageError(f"the decoding process was {disturbed}") from error
                raise UnsupportedPixels("the codec crashed or took too long") from error
            except BaseException:
                # An answer that nobody took would be taken for that of the next frame.
                self.stop()
                raise

    def _running(self) -> socket.socket:
        # After a fork the process belongs to the parent: two may not talk to it.
        ours = self.child is not None and self.owner == os.getpid()
        if self.channel is None or self.child is None or not ours or self.child.poll() is not None:
            self.stop()
            try:
                self._start()
            except OSError as error:
                raise StorageError("no process for decoding can be started") from error
        if self.channel is None:
            raise EOFError
        return self.channel

    def _start(self) -> None:
        self.channel, theirs = socket.socketpair()
        with theirs:
            self.child = subprocess.Popen(  # noqa: S603  (this interpreter, our own module)
                (sys.executable, "-c", _COMMAND.format(theirs.fileno())),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                # Ctrl-C at a terminal is not for it; a worker's session has none, and it stays in
                # its worker's process group to be ended with it.
                start_new_session=os.getsid(0) != os.getpid(),
            )
        self.owner = os.getpid()

    def _disturbed(self) -> str:
        """Tell a kill or a stop from a crash, "" for none: no codec does it.

        The system kills where memory is short; a timer of its own ends one that takes too long.
        """
        if self.child is None:
            return ""
        if hasattr(os, "waitid"):
            options = os.WSTOPPED | os.WNOHANG | os.WNOWAIT
            with suppress(ChildProcessError):
                if os.waitid(os.P_PID, self.child.pid, options) is not None:
                    return "stopped from outside"
        with suppress(subprocess.TimeoutExpired):
            if self.child.wait(_DYING) == -signal.SIGKILL:
                return "killed from outside, mostly for want of memory"
        return ""

    def stop(self) -> None:
        """End the process, if it is ours."""
        child, self.child = self.child, None
        channel, self.channel = self.channel, None
        if channel is not None:
            channel.close()
        if child is not None and self.owner == os.getpid():
            child.kill()
            child.wait()


_helper = _Helper()
atexit.register(_helper.stop)


def decode_isolated(task: Task, stream: BinaryIO, pieces: list[tuple[int, int]]) -> Frame:
    """Decode one frame in the decoding process.

    Parameters
    ----------
    task
        Of what transfer syntax and shape it is.
    stream
        Holds its bytes.
    pieces
        Where they lie in it: offset and length of each piece, at least one byte in all.

    Raises
    ------
    UnsupportedPixels
        If the frame cannot be decoded, or its codec crashed or took longer than `SECONDS`.
    StorageError
        If there is no memory or no process for it, or somebody killed or stopped its process.
    OSError
        If the stream cannot be read.
    """
    size = sum(length for _, length in pieces)
    try:
        descriptor, region = new_region(size)
    except OSError as error:
        raise StorageError("there is no memory to decode a frame") from error
    try:
        _fill(region, stream, pieces)
        seconds = SECONDS * (1 + task.layout.plane_pixels // PIXELS_PER_SHARE)
        about = {"task": asdict(task), "seconds": seconds}
        answer, decoded = _helper.ask(about, descriptor, size)
    finally:
        os.close(descriptor)
    if "error" in answer:
        raise UnsupportedPixels(str(answer["error"]))
    place = answer["place"]
    array = np.frombuffer(
        decoded if decoded is not None else region,
        dtype=answer["dtype"],
        count=math.prod(answer["shape"]),
        offset=0 if place is None else place,
    )
    return Frame(array.reshape(answer["shape"]), str(answer["photometric"]))


def _fill(region: mmap.mmap, stream: BinaryIO, pieces: list[tuple[int, int]]) -> None:
    with memoryview(region) as target:
        start = 0
        for offset, length in pieces:
            stream.seek(offset)
            with target[start : start + length] as part:
                if stream.readinto(part) != length:  # type: ignore[attr-defined]
                    raise UnsupportedPixels("the pixel data end too early")
            start += length
