"""An archive that is not ours: pynetdicom's server, which also commits and reports."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, build_role, evt
from pynetdicom.sop_class import (
    StorageCommitmentPushModel,
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)

TO_ARCHIVE = """
[peers.archive]
ae_title = "{title}"
host = "127.0.0.1"
port = {port}
{peer}
[[rules]]
name = "all"
model = "demo"
send_to = ["archive"]
{rule}
"""


def to_archive(port: int, *, title: str = "ARCHIVE", peer: str = "", rule: str = "") -> str:
    """Configure a node to send all results to the archive on a port.

    ``peer`` and ``rule`` are further lines of their sections.
    """
    return TO_ARCHIVE.format(port=port, title=title, peer=peer, rule=rule)


COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"


@dataclass
class Archive:
    """What arrived, and how to answer.

    ``status`` is what every C-STORE is answered; ``commit`` whether it takes responsibility.
    """

    port: int
    node_port: int
    status: int = 0x0000
    commit: bool = True
    stored: list[Dataset] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def uids(self) -> list[str]:
        """SOP Instance UIDs in the order of arrival, repetitions included."""
        return [str(dataset.SOPInstanceUID) for dataset in self.stored]

    def take(self, event: evt.Event) -> int:
        dataset = event.dataset
        dataset.file_meta = event.file_meta
        if self.status == 0x0000:
            self.stored.append(dataset)
        return self.status

    def find(self, _event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        """Answer a query with the studies that were stored, whatever is searched for."""
        for uid in {str(one.StudyInstanceUID): None for one in self.stored}:
            found = Dataset()
            found.QueryRetrieveLevel, found.StudyInstanceUID = "STUDY", uid
            yield 0xFF00, found

    def be_asked(self, event: evt.Event) -> tuple[int, None]:
        request = event.action_information
        self.asked.append(str(request.TransactionUID))
        thread = threading.Thread(target=self.report, args=(request,), daemon=True)
        self.threads.append(thread)
        thread.start()
        return 0x0000, None

    def report(self, request: Dataset) -> None:
        """Report on an association of our own, as archives do."""
        answer = Dataset()
        answer.TransactionUID = request.TransactionUID
        good = [item for item in request.ReferencedSOPSequence if self.commit]
        bad = [item for item in request.ReferencedSOPSequence if not self.commit]
        if good:
            answer.ReferencedSOPSequence = good
        if bad:
            for item in bad:
                item.FailureReason = 0x0112
            answer.FailedSOPSequence = bad
        ae = AE("ARCHIVE")
        ae.add_requested_context(StorageCommitmentPushModel)
        role = build_role(StorageCommitmentPushModel, scp_role=True)
        made = ae.associate("127.0.0.1", self.node_port, ae_title="AI_NODE", ext_neg=[role])
        if made.is_established:
            event_type = 2 if bad else 1
            made.send_n_event_report(
                answer, event_type, StorageCommitmentPushModel, COMMITMENT_INSTANCE
            )
            made.release()


@contextmanager
def archive(
    port: int, node_port: int, *, refuses: str = "", host: str = "127.0.0.1"
) -> Iterator[Archive]:
    """Run an archive on a port; it reports to the node on another.

    ``refuses`` is a storage class that it does not take.
    """
    one = Archive(port, node_port)
    ae = AE("ARCHIVE")
    ae.supported_contexts = [
        context for context in AllStoragePresentationContexts if context.abstract_syntax != refuses
    ]
    ae.add_supported_context(StorageCommitmentPushModel)
    ae.add_supported_context(Verification)
    ae.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    server = ae.start_server(
        (host, port),
        block=False,
        evt_handlers=[
            (evt.EVT_C_STORE, one.take),
            (evt.EVT_N_ACTION, one.be_asked),
            (evt.EVT_C_FIND, one.find),
        ],
    )
    try:
        yield one
    finally:
        server.shutdown()
        for thread in one.threads:
            thread.join(10)
