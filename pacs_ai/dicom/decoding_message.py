"""Between a process and a decoding process: a line of JSON, and one region of shared memory.

The region is a file without a name that both processes map. Its descriptor goes through the socket
once, with the first message that uses it. The frame's bytes lie at its beginning when a message
arrives, the decoded values when it is answered. New shared pages cost more than decoding a small
frame, so the region is used again for the next frame.
"""

import json
import mmap
import os
import socket
import struct
import tempfile
from typing import Any

_HEAD = struct.Struct("<IQ")
_MAX_TEXT = 1 << 20
_POPULATE = getattr(mmap, "MAP_POPULATE", 0)  # one call in place of a fault for each page


def new_region(size: int) -> tuple[int, mmap.mmap]:
    """Make a region of shared memory; returns its descriptor and a map of it."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("frame")
    else:
        with tempfile.TemporaryFile() as stream:
            descriptor = os.dup(stream.fileno())
    try:
        os.truncate(descriptor, size)
        return descriptor, _mapped(descriptor, size)
    except BaseException:
        os.close(descriptor)
        raise


def send(channel: socket.socket, about: dict[str, Any], region: int | None, size: int = 0) -> None:
    """Send one message.

    Parameters
    ----------
    region, size
        Descriptor of a region and its bytes, if the other process does not know the region yet.
        The descriptor stays the sender's to close.
    """
    text = json.dumps(about).encode()
    head = _HEAD.pack(len(text), 0 if region is None else size)
    if region is None:
        channel.sendall(head + text)
        return
    socket.send_fds(channel, [head], [region])
    channel.sendall(text)


def receive(channel: socket.socket) -> tuple[dict[str, Any], mmap.mmap | None]:
    """Receive one message, and a map of its region if that is a new one.

    Raises
    ------
    EOFError
        If the other process is gone, or sent less than it said.
    """
    head, descriptors, _, _ = socket.recv_fds(channel, _HEAD.size, 1)
    try:
        length, size = _HEAD.unpack(head + _exactly(channel, _HEAD.size - len(head)))
        about: dict[str, Any] = json.loads(_exactly(channel, min(length, _MAX_TEXT)))
        if not size:
            return about, None
        if not descriptors or os.fstat(descriptors[0]).st_size < size:
            raise EOFError
        return about, _mapped(descriptors[0], size)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _exactly(channel: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = channel.recv(size - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def _mapped(descriptor: int, size: int) -> mmap.mmap:
    return mmap.mmap(descriptor, size, flags=mmap.MAP_SHARED | _POPULATE)
