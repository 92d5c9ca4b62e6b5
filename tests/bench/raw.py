"""Programs as simple as can be: the limit that the others are compared with.

Usage: ``python -m tests.bench.raw KIND PORT FOLDER``. No import that costs memory.
"""

import itertools
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable

BUFFER = 1 << 20


class Folder:
    """Where the files go; ``durable`` flushes each and its folder before it is acknowledged."""

    def __init__(self, path: str, *, durable: bool) -> None:
        self.path = path
        self.durable = durable
        self.numbers = itertools.count()

    def open(self) -> tuple[int, str]:
        path = f"{self.path}/{next(self.numbers)}"
        return os.open(f"{path}.part", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), path

    def close(self, fd: int, path: str) -> None:
        if self.durable:
            os.fsync(fd)
        os.close(fd)
        os.rename(f"{path}.part", f"{path}.dcm")  # noqa: PTH104 - measured
        if self.durable:
            folder = os.open(self.path, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)


def serve(port: int, take: Callable[[socket.socket, Folder], None], folder: Folder) -> None:
    with socket.create_server(("127.0.0.1", port), backlog=128) as listening:
        while True:
            sock, _ = listening.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=take, args=(sock, folder), daemon=True).start()


def take_raw(sock: socket.socket, folder: Folder) -> None:
    """Length, bytes to a file, one byte back."""
    buffer = memoryview(bytearray(BUFFER))
    with sock:
        while header := sock.recv(8, socket.MSG_WAITALL):
            left = struct.unpack(">Q", header)[0]
            fd, path = folder.open()
            while left:
                count = sock.recv_into(buffer[: min(left, BUFFER)])
                if not count:
                    return
                os.write(fd, buffer[:count])
                left -= count
            folder.close(fd, path)
            sock.sendall(b"!")


class Bare:
    """A DICOM receiver without one check: PDUs of `tests.bench.sender` and no others.

    What it cannot do is what the protections of a real one cost.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.view = memoryview(bytearray(BUFFER))
        self.start = self.end = 0

    def take(self, count: int) -> bytes:
        taken = bytearray()
        while len(taken) < count:
            taken += self.some(count - len(taken))
        return bytes(taken)

    def some(self, limit: int) -> memoryview:
        if self.start == self.end:
            self.start, self.end = 0, self.sock.recv_into(self.view)
            if not self.end:
                raise EOFError
        begin, self.start = self.start, min(self.end, self.start + limit)
        return self.view[begin : self.start]

    def run(self, folder: Folder) -> None:
        fd, path, message = -1, "", b""
        while True:
            kind, length = struct.unpack(">BxL", self.take(6))
            if kind != 4:
                body = self.take(length)
                self.sock.sendall(accepted(body) if kind == 1 else bytes((6, 0, 0, 0, 0, 4)) + body)
                continue
            while length:
                item, _, control = struct.unpack(">LBB", self.take(6))
                count, length = item - 2, length - item - 4
                if control & 1:
                    message = response(self.take(count))
                    fd, path = folder.open()
                    continue
                while count:
                    view = self.some(count)
                    os.write(fd, view)
                    count -= len(view)
                if control & 2:
                    folder.close(fd, path)
                    self.sock.sendall(message)


def accepted(request: bytes) -> bytes:
    """Accept context 1 in Implicit VR Little Endian, in PDUs of a megabyte."""
    result = item(0x21, b"\1\0\0\0" + item(0x40, b"1.2.840.10008.1.2"))
    user = item(0x50, item(0x51, struct.pack(">L", BUFFER)) + item(0x52, b"1.2.3"))
    body = request[:68] + item(0x10, b"1.2.840.10008.3.1.1.1") + result + user
    return struct.pack(">BxL", 2, len(body)) + body


def item(kind: int, data: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(data)) + data


def response(_command: bytes) -> bytes:
    """Answer a C-STORE with success; its message id is always the same here."""
    values = {0x0100: 0x8001, 0x0120: 1, 0x0800: 0x0101, 0x0900: 0}
    elements = b"".join(struct.pack("<HHLH", 0, tag, 2, value) for tag, value in values.items())
    data = struct.pack("<HHLL", 0, 0, 4, len(elements)) + elements
    return struct.pack(">BxLLBB", 4, len(data) + 6, len(data) + 2, 1, 3) + data


def take_bare(sock: socket.socket, folder: Folder) -> None:
    with sock:
        try:
            Bare(sock).run(folder)
        except EOFError:
            return


if __name__ == "__main__":
    kind, port, path = sys.argv[1:]
    taker = take_bare if kind == "bare" else take_raw
    serve(int(port), taker, Folder(path, durable=kind == "fsync"))
