"""Between a process and its decoding process: a line of JSON, and bytes in shared memory.

The bytes of a message lie in a file without a name that both processes map; only its descriptor
goes through the socket. Nothing is copied, and a frame of any size costs the same few calls.
"""

import json
import mmap
import os
import socket
import struct
import tempfile
from typing import Any

_HEAD = struct.Struct("<II")
_MAX_TEXT = 1 << 20
_POPULATE = getattr(mmap, "MAP_POPULATE", 0)  # one call in place of a fault for each page


def new_region(size: int) -> tuple[int, mmap.mmap]:
    """Make shared memory for the bytes of one message; returns its descriptor and a map of it."""
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
    """Send one message; the descriptor of its region stays the sender's to close."""
    text = json.dumps(about).encode()
    head = _HEAD.pack(len(text), 0 if region is None else size)
    if region is None:
        channel.sendall(head + text)
        return
    socket.send_fds(channel, [head], [region])
    channel.sendall(text)


def receive(channel: socket.socket) -> tuple[dict[str, Any], mmap.mmap | None]:
    """Receive one message, and its bytes if it has any.

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
