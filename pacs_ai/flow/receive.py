"""An instance that has arrived becomes a file and a row, and only then a success.

The order is that of a durable receive: checked to its end without decoding pixels, flushed,
renamed, folder flushed, row committed, answered.
"""

import os
from dataclasses import dataclass

from pacs_ai.dicom.element_encoding import BadDataset
from pacs_ai.dicom.scan import ScannedInstance, scan_instance
from pacs_ai.domain import StudyState
from pacs_ai.errors import NoSpace, NotDicom, StorageError
from pacs_ai.files import IncomingFile
from pacs_ai.flow import duplicates
from pacs_ai.flow.arrivals import ArrivalListener
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.loop_guard import passive_reason
from pacs_ai.flow.rule_matching import Way
from pacs_ai.flow.urgency import note_urgency
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.net.scp.handlers import ReceivedInstance, StoreAnswer
from pacs_ai.store import instances
from pacs_ai.store.identities import Sender
from pacs_ai.store.insert_instance import insert_instance

SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700
CLASS_MISMATCH = 0xA900
INSTANCE_MISMATCH = 0xA901

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an instance came from; an adopted orphan has no association any more."""

    calling_aet: str
    called_aet: str
    association_id: str | None
    address: str = ""

    @property
    def way(self) -> Way:
        """The way by which it came, for rules."""
        return self.calling_aet, self.called_aet, self.address


def open_incoming(context: FlowContext) -> IncomingFile:
    """Open a file for an instance that begins to arrive.

    Raises
    ------
    NoSpace
        If the disk has less than ``storage.min_free_gb`` left.
    """
    if context.spool.free_bytes() < context.config.storage.min_free_gb * 1e9:
        raise NoSpace("spool: less free space than storage.min_free_gb")
    return context.spool.new_incoming()


def receive(
    context: FlowContext, arrivals: ArrivalListener, received: ReceivedInstance
) -> StoreAnswer:
    """Store one instance and answer for it.

    Parameters
    ----------
    received
        Its bytes, in a file that is ours from here on.

    Returns
    -------
    StoreAnswer
        0x0000 once file and row are durable; else the status of PS3.4 Section B.2.3 that fits,
        and the file is gone.
    """
    association = received.association
    origin = Origin(
        association.calling_aet, association.called_aet, association.id, association.peer_ip
    )
    try:
        with context.spool.flushing(received.file):
            scanned = scan_instance(received.file, hash_pixels=False)
    except NotDicom as error:
        context.spool.discard(received.file)
        status = error.status if isinstance(error, BadDataset) else 0xC000
        _log.warning("instance refused", peer=origin.calling_aet, reason=error.message)
        return StoreAnswer(status, error.message[:64])
    except StorageError as error:
        context.spool.discard(received.file)
        _log.error("instance not stored", error=error.code)
        return StoreAnswer(OUT_OF_RESOURCES, "storage is out of reach, try again")
    mismatch = _mismatch(received, scanned)
    if mismatch is not None:
        context.spool.discard(received.file)
        return mismatch
    try:
        return _store(context, arrivals, received.file, scanned, origin)
    except StorageError as error:
        _log.error(
            "instance not stored", study=study_ref(scanned.study_instance_uid), error=error.code
        )
        return StoreAnswer(OUT_OF_RESOURCES, "storage is out of reach, try again")


def _mismatch(received: ReceivedInstance, scanned: ScannedInstance) -> StoreAnswer | None:
    """Compare the data set with the command that announced it."""
    if scanned.sop_class_uid != received.sop_class_uid:
        return StoreAnswer(CLASS_MISMATCH, "SOP Class UID differs from the command")
    if scanned.sop_instance_uid != received.sop_instance_uid:
        return StoreAnswer(INSTANCE_MISMATCH, "SOP Instance UID differs from the command")
    if received.study_instance_uid not in ("", scanned.study_instance_uid):
        return StoreAnswer(CLASS_MISMATCH, "it belongs to another study")
    return None


def _store(
    context: FlowContext,
    arrivals: ArrivalListener,
    incoming: IncomingFile,
    scanned: ScannedInstance,
    origin: Origin,
) -> StoreAnswer:
    size = os.fstat(incoming.fd).st_size
    path = context.spool.keep(incoming, flushed=True)
    try:
        return adopt(context, arrivals, path, size, scanned, origin)
    except StorageError:
        _drop_unless_recorded(context, path, scanned)
        raise


def adopt(
    context: FlowContext,
    arrivals: ArrivalListener,
    path: str,
    size: int,
    scanned: ScannedInstance,
    origin: Origin,
) -> StoreAnswer:
    """Give a file that lies safely in the spool its row; the study moves with it."""
    arrival = _arrival(path, size, scanned)
    sender = sender_of(context, scanned, origin)
    now = context.now()
    inserted = context.database.write_grouped(
        lambda connection: insert_instance(connection, arrival, sender, now)
    )
    answer = StoreAnswer(SUCCESS)
    again = inserted is None
    if inserted is None:
        answer, inserted = duplicates.answer(context, path, size, scanned, sender)
    if inserted is None:
        return answer
    if inserted.alarm:
        _log.error(
            "two patients under one study: held",
            study=study_ref(arrival.study_instance_uid),
            reason=inserted.alarm,
        )
    elif inserted.state is StudyState.RECEIVING and (again or not arrival.unusable_reason):
        revision = (inserted.study_id, inserted.revision)
        if not again:
            series = (inserted.revision, scanned.series_instance_uid)
            note_urgency(context, inserted.study_id, series, path, origin.way)
        arrivals.stored(revision, origin.association_id, context.clock.monotonic())
    return answer


def _arrival(path: str, size: int, scanned: ScannedInstance) -> instances.Arrival:
    return instances.Arrival(
        study_instance_uid=scanned.study_instance_uid,
        series_instance_uid=scanned.series_instance_uid,
        sop_class_uid=scanned.sop_class_uid,
        sop_instance_uid=scanned.sop_instance_uid,
        transfer_syntax_uid=scanned.transfer_syntax_uid,
        modality=scanned.modality[:16],
        path=path,
        bytes=size,
        digest=scanned.dataset_digest,
        unusable_reason=passive_reason(scanned),
    )


def sender_of(context: FlowContext, scanned: ScannedInstance, origin: Origin) -> Sender:
    """Return where an instance came from, and what stands in the database for its patient."""
    return Sender(
        node=context.spool.node,
        calling_aet=origin.calling_aet,
        called_aet=origin.called_aet,
        patient_key=context.patient_key(scanned.patient.patient_id),
        accession_key=context.accession_key(scanned.accession_number),
        identity=context.identity(scanned.study_instance_uid, scanned.patient),
        address=origin.address,
    )


def _drop_unless_recorded(context: FlowContext, path: str, scanned: ScannedInstance) -> None:
    """Remove the file of a failed transaction, if it is certain that there is no row.

    A commit whose outcome is unknown may have happened: then the file stays, and the next start
    settles it.
    """
    try:
        with context.database.read() as session:
            known = instances.find(session, scanned.sop_instance_uid)
    except StorageError:
        return
    if known is None or known.path != path:
        context.spool.delete(path)
