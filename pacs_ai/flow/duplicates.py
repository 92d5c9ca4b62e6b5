"""The same SOP Instance UID again: the first stays byte for byte, whatever comes."""

from pacs_ai.dicom.scan import ScannedInstance, scan_instance
from pacs_ai.errors import DatabaseBusy, NotDicom, StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.intact import check_instances
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.net.handlers import StoreAnswer
from pacs_ai.store import instances, studies
from pacs_ai.store.schema import Instance
from pacs_ai.store.session import RECEIVE_BUSY_SECONDS
from pacs_ai.store.transition import record

REFUSED = StoreAnswer(0xC003, "SOP Instance UID known with other content")
KEPT_BOTH = StoreAnswer(0xB000, "SOP Instance UID known with other content")
_SUCCESS = StoreAnswer(0x0000)

_log = get_logger()


def answer(
    context: FlowContext, path: str, scanned: ScannedInstance, sender: studies.Sender
) -> StoreAnswer:
    """Deal with a file whose SOP Instance UID is that of another.

    Identical bytes are a success without effect, unless the stored file is gone or damaged: then
    they take its place. The same image in another wrapping (transfer
    syntax, or header values changed by a router) is set aside and answered 0x0000, because a
    failure would end the sender's whole job. Other content is refused, or set aside with a
    warning where ``storage.on_conflict = "keep_both"``.

    Parameters
    ----------
    path
        Where in the spool it lies; not any more when this returns.
    """
    with context.database.read() as session:
        known = instances.find(session, scanned.sop_instance_uid)
    if known is None:
        raise DatabaseBusy("the instance's row went away this moment: send it again")
    if known.sha256 == scanned.dataset_sha256:
        _keep_one(context, path, known)
        return _SUCCESS
    if _same_image(context, path, scanned, known):
        context.spool.set_aside(path, "variants")
        _audit(context, scanned, known, sender, "variant set aside")
        return _SUCCESS
    _log.error("one UID, two contents", study=study_ref(scanned.study_instance_uid))
    if context.config.storage.on_conflict == "keep_both":
        context.spool.set_aside(path, "quarantine")
        _audit(context, scanned, known, sender, "other content set aside")
        return KEPT_BOTH
    context.spool.delete(path)
    _audit(context, scanned, known, sender, "other content refused")
    return REFUSED


def _keep_one(context: FlowContext, path: str, known: Instance) -> None:
    """Keep the file that was there, or put the new one in its place if it is not what it was."""
    try:
        check_instances(context.spool, [known])
    except StorageError:
        size = context.spool.path_of(path).stat().st_size
        with context.database.write(busy_seconds=RECEIVE_BUSY_SECONDS) as session:
            instances.replace_file(session, known.id, path, size)
        context.spool.delete(known.path)
        _log.warning("a stored file was replaced by what came again", file=path)
    else:
        context.spool.delete(path)


def _same_image(context: FlowContext, path: str, scanned: ScannedInstance, known: Instance) -> bool:
    """Tell whether both are one image, wrapped differently.

    Pixels are compared as they are encoded; those of another transfer syntax cannot be without
    decoding them, and nothing is lost by setting them aside.
    """
    if not scanned.has_pixels or scanned.sop_class_uid != known.sop_class_uid:
        return False
    if scanned.transfer_syntax_uid != known.transfer_syntax_uid:
        return True
    try:
        first = scan_instance(context.spool.path_of(known.path))
        second = scan_instance(context.spool.path_of(path))
    except NotDicom:
        return False
    return first.pixel_sha256 == second.pixel_sha256


def _audit(
    context: FlowContext,
    scanned: ScannedInstance,
    known: Instance,
    sender: studies.Sender,
    what: str,
) -> None:
    """Leave a line, and hold the study back if the patient changed with the content."""
    with context.database.write(busy_seconds=RECEIVE_BUSY_SECONDS) as session:
        record(
            session,
            "instance",
            known.id,
            "",
            "",
            now=context.now(),
            actor=sender.calling_aet,
            note=what,
        )
        studies.conflict_if_other_patient(
            session, scanned.study_instance_uid, sender, now=context.now()
        )
