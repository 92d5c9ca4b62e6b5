"""One decoding process as its parent sees it: started, asked, replaced after a crash, ended."""

import math
import mmap
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from typing import Any, BinaryIO

import numpy as np

from pacs_ai.dicom.canonical import Frame
from pacs_ai.dicom.decoding_message import new_region, receive, send
from pacs_ai.dicom.fragments import read_pieces
from pacs_ai.dicom.pixel_layout import Task
from pacs_ai.errors import StorageError, UnsupportedPixels

SECONDS = 10
"""Time limit for one frame. Each `PIXELS_PER_SHARE` pixels of the frame add the same time."""

PIXELS_PER_SHARE = 4_000_000
KEPT_BYTES = 1 << 25
"""A larger region of shared memory is given back after its frame: new pages for it cost little
beside decoding it."""

_PATIENCE = 2
_DYING = 2.0
_COMMAND = "from pacs_ai.dicom.decoding_process import serve; serve({})"


class DecodingChild:
    """A decoding process and the memory it shares with this one; used by one thread at a time.

    The process is started with its first frame, and again with the next one after a crash.
    """

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.channel: socket.socket | None = None
        self.region: mmap.mmap | None = None
        self._unsent: int | None = None  # descriptor of a region that the process does not know

    def decode(self, task: Task, stream: BinaryIO, pieces: list[tuple[int, int]]) -> Frame:
        """Decode one frame; parameters and errors as `decode_isolated` has them."""
        channel = self._running()
        size = sum(length for _, length in pieces)
        region = self._room(max(size, task.layout.decoded_bytes))
        with memoryview(region) as target:
            read_pieces(target, stream, pieces)
        seconds = SECONDS * (1 + task.layout.plane_pixels // PIXELS_PER_SHARE)
        answer = self._ask(channel, {"task": asdict(task), "size": size, "seconds": seconds})
        if "error" in answer:
            raise UnsupportedPixels(str(answer["error"]))
        count = math.prod(answer["shape"])
        values = np.frombuffer(region, dtype=answer["dtype"], count=count).copy()
        if len(region) > KEPT_BYTES:
            self._drop_region()
        return Frame(values.reshape(answer["shape"]), str(answer["photometric"]))

    def _ask(self, channel: socket.socket, about: dict[str, Any]) -> dict[str, Any]:
        """Send one task and wait for its answer."""
        try:
            # It ends itself in time; this is for one that is stopped, and cannot.
            channel.settimeout(_PATIENCE * (about["seconds"] + SECONDS))
            send(channel, about, self._unsent, len(self.region or b""))
            answer, _ = receive(channel)
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
        self._close_unsent()
        return answer

    def _room(self, size: int) -> mmap.mmap:
        """Return a region for ``size`` bytes, the one of the last frame if it is large enough."""
        if self.region is None or len(self.region) < size:
            self._drop_region()
            try:
                self._unsent, self.region = new_region(size)
            except OSError as error:
                raise StorageError("there is no memory to decode a frame") from error
        return self.region

    def _drop_region(self) -> None:
        self._close_unsent()
        self.region = None

    def _close_unsent(self) -> None:
        if self._unsent is not None:
            os.close(self._unsent)
            self._unsent = None

    def _running(self) -> socket.socket:
        """Start the process unless it runs; returns what leads to it."""
        if self.channel is not None and self.process is not None and self.process.poll() is None:
            return self.channel
        self.stop()
        try:
            self.channel, theirs = socket.socketpair()
            with theirs:
                self.process = subprocess.Popen(  # noqa: S603  (this interpreter, our own module)
                    (sys.executable, "-c", _COMMAND.format(theirs.fileno())),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    # Ctrl-C at a terminal is not for it; a worker's session has none, and it stays
                    # in its worker's process group to be ended with it.
                    start_new_session=os.getsid(0) != os.getpid(),
                )
        except OSError as error:
            self.stop()
            raise StorageError("no process for decoding can be started") from error
        return self.channel

    def _disturbed(self) -> str:
        """Tell a kill or a stop from a crash, "" for none: no codec does it.

        The system kills where memory is short; a timer of its own ends one that takes too long.
        """
        if self.process is None:
            return ""
        if hasattr(os, "waitid"):
            options = os.WSTOPPED | os.WNOHANG | os.WNOWAIT
            with suppress(ChildProcessError):
                if os.waitid(os.P_PID, self.process.pid, options) is not None:
                    return "stopped from outside"
        with suppress(subprocess.TimeoutExpired):
            if self.process.wait(_DYING) == -signal.SIGKILL:
                return "killed from outside, mostly for want of memory"
        return ""

    def stop(self) -> None:
        """End the process, if there is one, and let go of its memory."""
        process = self.process
        self.forget()
        if process is not None:
            process.kill()
            process.wait()

    def forget(self) -> None:
        """Close what leads to the process and leave it alone: after a fork it is the parent's."""
        if self.channel is not None:
            self.channel.close()
        self._drop_region()
        self.process = self.channel = None
