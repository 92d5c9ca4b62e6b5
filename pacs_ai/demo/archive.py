"""A stand-in archive: a Storage SCP with storage commitment that keeps what it is sent in a folder.

``python -m pacs_ai.demo.archive FOLDER`` listens on a free port of this machine, writes the port
in a line on standard output, and runs until SIGTERM. For demonstrations only: it never deletes,
and every program on this machine may store.
"""

import argparse
import os
import signal
import sys
import threading
import uuid
from pathlib import Path

from pacs_ai.config.sections import Log
from pacs_ai.dicom.header import read_header
from pacs_ai.errors import NotDicom, StorageError
from pacs_ai.files import IncomingFile
from pacs_ai.logs import get_logger, setup_logging
from pacs_ai.net.commitment_dataset import CommitmentReport
from pacs_ai.net.scp.handlers import (
    AssociationInfo,
    CommitmentRequest,
    ReceivedInstance,
    StoreAnswer,
)
from pacs_ai.net.scp.server import ServerSettings, StorageServer
from pacs_ai.net.status import Status
from pacs_ai.uids import storable_uid

AE_TITLE = "ARCHIVE"
SUFFIX = ".dcm"

_INCOMING = "incoming"
_STOP_SECONDS = 2.0

_log = get_logger()


class Archive:
    """Keeps each instance as ``<study instance UID>/<SOP instance UID>.dcm``.

    Parameters
    ----------
    folder
        Where; made if absent.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / _INCOMING
        self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)

    def opened(self, association: AssociationInfo) -> None:
        """Take no notice."""

    def rejected(self, calling_aet: str, peer_ip: str, reason: str) -> None:
        """Nothing to do."""

    def closed(self, association: AssociationInfo, outcome: str) -> None:
        """Log who was here."""
        _log.info("association closed", peer=association.calling_aet, outcome=outcome)

    def open_incoming(self) -> IncomingFile:
        """Open a file for an instance that begins to arrive."""
        path = self._incoming / f"{uuid.uuid4().hex}.part"
        try:
            return IncomingFile(str(path), os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError as error:
            raise StorageError(f"{path}: {error.strerror}") from None

    def discard(self, incoming: IncomingFile) -> None:
        """Remove it again."""
        os.close(incoming.fd)
        incoming.path.unlink(missing_ok=True)

    def store(self, received: ReceivedInstance) -> StoreAnswer:
        """Keep an instance; the same one again replaces the first."""
        incoming = received.file
        try:
            study = read_header(incoming.path).study_instance_uid
        except NotDicom:
            study = ""
        if not storable_uid(study):
            self.discard(incoming)
            return StoreAnswer(Status.CANNOT_UNDERSTAND, "no Study Instance UID")
        folder = self._folder / study
        folder.mkdir(mode=0o700, exist_ok=True)
        os.fsync(incoming.fd)
        os.close(incoming.fd)
        # the listener has checked that the UID is one before it called us
        incoming.path.rename(folder / f"{received.sop_instance_uid}{SUFFIX}")
        return StoreAnswer(Status.SUCCESS)

    def refused(self, status: int) -> None:
        """Do nothing: the sender has its answer."""

    def commitment_report(self, report: CommitmentReport) -> int:  # noqa: ARG002 - of the protocol
        """Refuse: nobody here has asked."""
        return Status.PROCESSING_FAILURE

    def commitment_request(self, request: CommitmentRequest) -> CommitmentReport:
        """Say of each instance whether it is kept."""
        kept = {path.stem for path in self._folder.glob(f"*/*{SUFFIX}")}
        return CommitmentReport(
            request.transaction_uid,
            tuple(reference for reference in request.references if reference[1] in kept),
            tuple(
                (*reference, int(Status.NO_SUCH_INSTANCE))
                for reference in request.references
                if reference[1] not in kept
            ),
        )

    def commitment_undelivered(
        self,
        request: CommitmentRequest,
        report: CommitmentReport,  # noqa: ARG002 - of the protocol
    ) -> None:
        """Let it be: the node asks again."""
        _log.warning("commitment report not delivered", peer=request.association.calling_aet)


def main(arguments: list[str] | None = None) -> int:
    """Run the archive until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m pacs_ai.demo.archive")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--aet", default=AE_TITLE)
    options = parser.parse_args(arguments)
    setup_logging(Log())
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    archive = Archive(options.folder)
    settings = ServerSettings(ae_titles=(options.aet,), port=options.port)
    server = StorageServer(settings, archive, archive)
    server.start()
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    while not stop.wait(3600):
        pass
    server.stop(_STOP_SECONDS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
