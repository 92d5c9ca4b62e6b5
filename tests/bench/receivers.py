"""The node's Storage SCP with nothing behind it: neither index nor fsync.

Usage: ``python -m tests.bench.receivers PORT FOLDER``
"""

import itertools
import os
import signal
import sys
import threading
from pathlib import Path

from pacs_ai.files import IncomingFile
from pacs_ai.net.commitment_dataset import CommitmentReport
from pacs_ai.net.scp.handlers import AssociationInfo, ReceivedInstance, StoreAnswer
from pacs_ai.net.scp.server import ServerSettings, StorageServer

SUCCESS = StoreAnswer(0)


class Folder:
    """Keeps instances as files under their UIDs, no more."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.numbers = itertools.count()

    def opened(self, association: AssociationInfo) -> None:
        """Nothing to do."""

    def rejected(self, calling_aet: str, peer_ip: str, reason: str) -> None:
        """Nothing to do."""

    def closed(self, association: AssociationInfo, outcome: str) -> None:
        """Nothing to do."""

    def open_incoming(self) -> IncomingFile:
        path = f"{self.folder}/{next(self.numbers)}.part"
        return IncomingFile(path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

    def discard(self, incoming: IncomingFile) -> None:
        os.close(incoming.fd)
        incoming.path.unlink()

    def store(self, received: ReceivedInstance) -> StoreAnswer:
        os.close(received.file.fd)
        os.rename(received.file.filename, f"{self.folder}/{received.sop_instance_uid}.dcm")  # noqa: PTH104 - measured
        return SUCCESS

    def refused(self, status: int) -> None:
        """Nothing to do."""

    def commitment_report(self, report: CommitmentReport) -> int:
        return 0 if report else 1


def serve(port: int, folder: Path) -> None:
    settings = ServerSettings(ae_titles=("ANY-SCP",), port=port, max_instance=4 << 30)
    server = StorageServer(settings, Folder(folder))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())  # whichever thread the signal comes to
    server.start()
    stop.wait()
    server.stop(1)


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
