"""Send the lines of the ledger to a syslog server, each node its own lines.

A line is sent again if it is not certain that it was sent: after a lost connection, and after a
crash. Its time and content tell that it is the same.
"""

from datetime import datetime
from pathlib import Path
from xml.sax.saxutils import quoteattr

from pacs_ai.config.sections import Audit
from pacs_ai.dicom.header import read_facts
from pacs_ai.errors import DataError, PeerError, StorageError
from pacs_ai.files import PRIVATE, atomic_write, translated
from pacs_ai.flow.context import FlowContext
from pacs_ai.logs import get_logger
from pacs_ai.net.syslog import SyslogTls
from pacs_ai.net.tls import ClientTls
from pacs_ai.store import ledger_facts
from pacs_ai.store.ledger_facts import Chained

SENT_FILE = "audit.sent"
"""In the folder of the node: number of the last line that was sent."""

_MOST = 500

_log = get_logger()


class Forwarder:
    """Sends new lines at each call.

    Parameters
    ----------
    context
        The node; ``[audit]`` of its configuration names the server.
    """

    def __init__(self, context: FlowContext) -> None:
        self._context = context
        self._told = False

    def sweep(self) -> int:
        """Send what was not sent yet; return how many lines were sent. An outage is logged once."""
        audit, context = self._context.config.audit, self._context
        if audit.syslog is None:
            return 0
        path = context.spool.home / SENT_FILE
        with context.database.read() as session:
            lines = ledger_facts.chained_after(session, _number(path), context.spool.node, _MOST)
        if not lines:
            return 0
        try:
            self._send(audit, audit.syslog, lines)
        except PeerError as error:
            if not self._told:
                _log.error("audit messages are not sent", error=error.code, reason=error.message)
            self._told = True
            return 0
        self._told = False
        atomic_write(path, f"{lines[-1].number}\n", mode=PRIVATE)
        return len(lines)

    def _send(self, audit: Audit, host: str, lines: list[Chained]) -> None:
        files = ClientTls(audit.ca, audit.certificate, audit.key)
        with SyslogTls(host, audit.port, files) as server:
            for line in lines:
                text = line.message
                if audit.patient_id and line.patient_key:
                    text = self._with_patient(line)
                at = datetime.fromisoformat(line.at)
                server.send(at, self._context.spool.node, text)

    def _with_patient(self, line: Chained) -> str:
        """Write the Patient ID in place of the keyed hash, while a file of the study says it."""
        patient = _patient_id(self._context, line)
        if not patient:
            return line.message
        hashed = f"ParticipantObjectID={quoteattr(line.patient_key)}"
        return line.message.replace(hashed, f"ParticipantObjectID={quoteattr(patient)}", 1)


def _patient_id(context: FlowContext, line: Chained) -> str:
    for path in line.paths:
        try:
            facts = read_facts(context.spool.path_of(path), ["PatientID"])
        except (DataError, StorageError):
            continue
        patient = facts.get("PatientID", "")
        if isinstance(patient, str) and context.patient_key(patient) == line.patient_key:
            return patient
    return ""


def _number(path: Path) -> int:
    with translated(path, "cannot be read"):
        try:
            return int(path.read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return 0
