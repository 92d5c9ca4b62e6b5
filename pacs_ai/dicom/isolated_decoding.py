"""Decoding in processes of their own, because codecs in C and C++ die of damaged frames.

Some end the process on them, some work for minutes, and some write to standard error as they
please. So each compressed frame is decoded in a decoding process with a bound of memory and time:
whatever happens there concerns that frame only. There are as many of these processes as threads
decode at the same time, at most one for each processor core. They are started when a thread needs
one, serve one frame after the other, and live as long as their parent.

Uncompressed frames are not sent there: numpy reads them from bytes whose number is checked.
"""

import atexit
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from pacs_ai.dicom.canonical import Frame
from pacs_ai.dicom.cores import usable_cores
from pacs_ai.dicom.decoding_child import DecodingChild
from pacs_ai.dicom.pixel_layout import Task


class DecodingPool:
    """The decoding processes of this process.

    Parameters
    ----------
    most
        How many there may be; further threads wait for one of them.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._reset()

    def _reset(self) -> None:
        self.children: list[DecodingChild] = []
        self.idle: list[DecodingChild] = []
        self._places = threading.BoundedSemaphore(self._most)

    @contextmanager
    def child(self) -> Iterator[DecodingChild]:
        """Lend a decoding process to this thread: the one that was given back last, if any."""
        with self._places:
            try:
                child = self.idle.pop()
            except IndexError:
                child = DecodingChild()
                self.children.append(child)
            try:
                yield child
            finally:
                self.idle.append(child)

    def stop(self) -> None:
        """End all of them."""
        for child in self.children:
            child.stop()

    def forget(self) -> None:
        """Begin without any: after a fork they belong to the parent."""
        for child in self.children:
            child.forget()
        self._reset()


pool = DecodingPool(usable_cores())
atexit.register(pool.stop)
os.register_at_fork(after_in_child=pool.forget)


def decode_isolated(task: Task, stream: BinaryIO, pieces: list[tuple[int, int]]) -> Frame:
    """Decode one compressed frame in a decoding process.

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
        If the frame cannot be decoded, or its codec crashed or took longer than
        `pacs_ai.dicom.decoding_child.SECONDS`.
    StorageError
        If there is no memory or no process for it, or somebody killed or stopped its process.
    OSError
        If the stream cannot be read.
    """
    with pool.child() as child:
        return child.decode(task, stream, pieces)
