"""One instance that arrives otherwise than by our listener: written to the spool meanwhile.

At its end it goes through the same check, the same flush and the same transaction as an instance
that came by C-STORE, and gets the same status.
"""

from dataclasses import dataclass

from pacs_ai.errors import StorageError
from pacs_ai.logs import get_logger
from pacs_ai.net.scp.dataset_writer import FileWriter, file_head
from pacs_ai.net.scp.handlers import AssociationInfo, ReceivedInstance, StorageHandlers
from pacs_ai.net.status import Status
from pacs_ai.uids import storable_uid

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Receiving:
    """Who takes instances, and from whom.

    Parameters
    ----------
    handlers
        Store what arrives.
    association
        Who sends.
    study
        Study Instance UID to which all instances have to belong; "" for any.
    limit
        Most bytes of a data set.
    """

    handlers: StorageHandlers
    association: AssociationInfo
    study: str
    limit: int

    def begin(
        self, sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str
    ) -> "IncomingInstance":
        """Begin an instance; what its sender says of it is checked."""
        return IncomingInstance(self, sop_class_uid, sop_instance_uid, transfer_syntax_uid)


class IncomingInstance:
    """Takes the bytes of a data set as they come.

    Attributes
    ----------
    status
        Why it is refused; None as long as it is not. What still comes of it is dropped.
    """

    def __init__(
        self,
        receiving: Receiving,
        sop_class_uid: str,
        sop_instance_uid: str,
        transfer_syntax_uid: str,
    ) -> None:
        self.status: int | None = None
        self._receiving = receiving
        self._uids = (sop_class_uid, sop_instance_uid, transfer_syntax_uid)
        self._writer: FileWriter | None = None
        if not all(storable_uid(uid) for uid in self._uids):
            self._refuse(Status.CANNOT_UNDERSTAND)
            return
        try:
            incoming = receiving.handlers.open_incoming()
        except StorageError as error:
            _log.warning("instance refused", code=error.code)
            self._refuse(Status.OUT_OF_RESOURCES)
            return
        titles = (receiving.association.calling_aet, receiving.association.called_aet)
        self._writer = FileWriter(incoming, file_head(*self._uids, titles), receiving.limit)

    def write(self, data: bytes) -> None:
        """Write some bytes to the spool."""
        writer = self._writer
        if writer is None:
            return
        writer.write(memoryview(data))
        writer.spill()
        if writer.size > self._receiving.limit:
            self._refuse(Status.OUT_OF_RESOURCES)

    def end(self) -> int:
        """Store it; returns the status of a C-STORE."""
        writer = self._writer
        if writer is None:
            assert self.status is not None  # noqa: S101 - a refused one has a status
            return self.status
        writer.spill()
        if writer.error is not None:
            _log.error("instance not written", errno=writer.error.errno)
            self._refuse(Status.OUT_OF_RESOURCES)
            return Status.OUT_OF_RESOURCES
        self._writer = None
        sop_class, sop_instance, syntax = self._uids
        received = ReceivedInstance(
            association=self._receiving.association,
            file=writer.incoming,
            sop_class_uid=sop_class,
            sop_instance_uid=sop_instance,
            transfer_syntax_uid=syntax,
            bytes=writer.size,
            study_instance_uid=self._receiving.study,
        )
        self.status = self._receiving.handlers.store(received).status
        return self.status

    def discard(self) -> None:
        """Drop it: it does not come whole."""
        writer, self._writer = self._writer, None
        if writer is not None:
            self._receiving.handlers.discard(writer.incoming)

    def _refuse(self, status: int) -> None:
        self.status = status
        self._receiving.handlers.refused(status)
        self.discard()
