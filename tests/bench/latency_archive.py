"""The archive of the latency bench: pynetdicom, says when it holds each report.

Usage: ``python -m tests.bench.latency_archive PORT``. For each report it writes a line: the moment
on the monotonic clock at which its data set was there, and the Study Instance UID.
"""

import socket
import sys
import threading
import time

from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)
from pynetdicom import AE, _config, evt

TITLE = "ARCHIVE"
_REPORTS = (Comprehensive3DSRStorage, ComprehensiveSRStorage, EnhancedSRStorage)


def at_once(event: evt.Event) -> None:
    """Let no answer wait for the other side's acknowledgement (Nagle)."""
    connection = event.assoc.dul.socket.socket
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def take(event: evt.Event) -> int:
    now = time.monotonic()
    if event.request.AffectedSOPClassUID in _REPORTS:
        sys.stdout.write(f"{now:.6f} {event.dataset.StudyInstanceUID}\n")
        sys.stdout.flush()
    return 0x0000


def main() -> None:
    _config.LOG_HANDLER_LEVEL = "none"
    entity = AE(TITLE)
    for uid in (*_REPORTS, SecondaryCaptureImageStorage):
        entity.add_supported_context(uid, ExplicitVRLittleEndian)
    handlers = [(evt.EVT_CONN_OPEN, at_once), (evt.EVT_C_STORE, take)]
    address = ("127.0.0.1", int(sys.argv[1]))
    entity.start_server(address, block=False, evt_handlers=handlers)
    threading.Event().wait()


if __name__ == "__main__":
    main()
