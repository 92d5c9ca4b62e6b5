"""The receivers that `tests.bench.receive` starts: ours, and the bare minimum."""

import itertools
import os
import signal
import socket
import struct
import sys
import threading
import uuid
from pathlib import Path

from pacs_ai.domain import Part
from pacs_ai.net.handlers import AssociationInfo, CommitmentReport, ReceivedInstance, StoreAnswer
from pacs_ai.net.server import ServerSettings, StorageServer

SUCCESS = StoreAnswer(0)


class Folder:
    """Keeps instances as files under their UIDs, no more."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.numbers = itertools.count()

    def opened(self, association: AssociationInfo) -> None:
        """Nothing to do."""

    def closed(self, association: AssociationInfo, outcome: str) -> None:
        """Nothing to do."""

    def open_part(self) -> Part:
        path = f"{self.folder}/{next(self.numbers)}.part"
        return Part(Path(path), os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

    def discard(self, part: Part) -> None:
        os.close(part.fd)
        part.path.unlink()

    def store(self, received: ReceivedInstance) -> StoreAnswer:
        os.close(received.part.fd)
        os.rename(received.part.path, f"{self.folder}/{received.sop_instance_uid}.dcm")  # noqa: PTH104 - measured
        return SUCCESS

    def commitment_report(self, report: CommitmentReport) -> int:
        return 0 if report else 1


def serve_ours(port: int, folder: Path) -> None:
    settings = ServerSettings(ae_titles=("ANY-SCP",), port=port, max_instance=4 << 30)
    server = StorageServer(settings, Folder(folder))
    server.start()
    signal.sigwait({signal.SIGTERM})
    server.stop(1)


def serve_raw(port: int, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", port)) as listening:
        while True:
            connection, _ = listening.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=take_raw, args=(connection, folder), daemon=True).start()


def take_raw(connection: socket.socket, folder: Path) -> None:
    """Length, bytes to a file, one byte back."""
    buffer = memoryview(bytearray(1 << 20))
    with connection:
        while header := connection.recv(8, socket.MSG_WAITALL):
            left = struct.unpack(">Q", header)[0]
            path = folder / uuid.uuid4().hex
            fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
            while left:
                count = connection.recv_into(buffer[: min(left, len(buffer))])
                if not count:
                    return
                os.write(fd, buffer[:count])
                left -= count
            os.close(fd)
            path.rename(path.with_suffix(".dcm"))
            connection.sendall(b"!")


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM} if sys.argv[1] == "ours" else set())
    {"ours": serve_ours, "raw": serve_raw}[sys.argv[1]](int(sys.argv[2]), Path(sys.argv[3]))
