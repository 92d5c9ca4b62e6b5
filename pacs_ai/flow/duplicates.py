"""The same SOP Instance UID again: the first stays byte for byte, whatever comes."""

from dataclasses import dataclass
from pathlib import Path

from pacs_ai.dicom.files import dataset_content
from pacs_ai.dicom.scan import ScannedInstance, scan_instance
from pacs_ai.digests import comparable
from pacs_ai.errors import DatabaseBusy, NotDicom, StorageError
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.current_rules import up_to_date
from pacs_ai.flow.integrity import check_instances
from pacs_ai.flow.loop_guard import OWN_RESULT
from pacs_ai.flow.rule_matching import matches_newly
from pacs_ai.logs import get_logger, study_ref
from pacs_ai.net.scp.handlers import StoreAnswer
from pacs_ai.store import admission, instances, repeats
from pacs_ai.store.admission import InsertedInstance
from pacs_ai.store.identities import Sender
from pacs_ai.store.repeats import Way
from pacs_ai.store.schema import Instance
from pacs_ai.store.session import RECEIVE_BUSY_SECONDS
from pacs_ai.store.transition import record

REFUSED = StoreAnswer(0xC003, "SOP Instance UID known with other content")
KEPT_BOTH = StoreAnswer(0xB000, "SOP Instance UID known with other content")
_SUCCESS = StoreAnswer(0x0000)

_log = get_logger()


@dataclass(frozen=True, slots=True)
class _Known:
    """The instance as it was stored first, and by which ways it has come since."""

    row: Instance
    ways: list[Way]
    as_first: bool
    as_variant: bool

    @property
    def identical(self) -> bool:
        """Tell whether the data set that came now is here already."""
        return self.as_first or self.as_variant


def answer(
    context: FlowContext, path: str, size: int, scanned: ScannedInstance, sender: Sender
) -> tuple[StoreAnswer, InsertedInstance | None]:
    """Deal with a file whose SOP Instance UID is that of another.

    Identical bytes are a success without effect, unless they come by a way that a rule asks for, or
    the stored file is gone or damaged: then they take its place. The same image in another wrapping
    (transfer syntax, or header values changed by a router or a correction) is set aside and
    answered 0x0000, because a failure would end the sender's whole job. Other content is refused,
    or set aside with a warning where ``storage.on_conflict = "keep_both"``.

    Parameters
    ----------
    path
        Where in the spool it lies; not any more when this returns.
    size
        Its bytes.

    Returns
    -------
    answer
        For the sender.
    inserted
        What became of the study; None if nothing did.
    """
    known = _known(context, path, scanned)
    if known.identical:
        _keep_one(context, path, known)
        return _SUCCESS, _come_again(context, known, sender)
    if _same_image(context, path, scanned, known.row):
        return _SUCCESS, _set_aside(context, path, size, scanned, known, sender)
    _log.error("one UID, two contents", study=study_ref(scanned.study_instance_uid))
    keep_both = context.config.storage.on_conflict == "keep_both"
    if keep_both:
        context.spool.set_aside(path, "quarantine")
    else:
        context.spool.delete(path)
    what = "other content set aside" if keep_both else "other content refused"
    with context.write(sender.calling_aet, busy_seconds=RECEIVE_BUSY_SECONDS) as transaction:
        record(transaction, "instance", known.row.id, "", "", note=what)
        inserted = admission.refused(transaction, known.row, sender)
    return KEPT_BOTH if keep_both else REFUSED, inserted if inserted.alarm else None


def _known(context: FlowContext, path: str, scanned: ScannedInstance) -> _Known:
    with context.database.read() as session:
        row = instances.find(session, scanned.sop_instance_uid)
        if row is None:
            raise DatabaseBusy("the row of the instance was removed meanwhile: send it again")
        ways, variants = repeats.ways(session, row), instances.variant_digests(session, row)
    file, digest = context.spool.path_of(path), scanned.dataset_digest
    as_variant = any(_is_same(file, digest, variant) for variant in variants)
    return _Known(row, ways, _is_same(file, digest, row.digest), as_variant)


def _is_same(file: Path, digest: str, known: str) -> bool:
    """Compare data sets by the algorithm that the known digest was made with."""
    if comparable(digest, known):
        return digest == known
    return dataset_content(file, known).digest == known


def _come_again(context: FlowContext, known: _Known, sender: Sender) -> InsertedInstance | None:
    """Note by which other way an instance came, and receive its study on where a rule asks."""
    way = (sender.calling_aet, sender.called_aet)
    if not sender.calling_aet or way in {one[:2] for one in known.ways}:
        return None
    opens = _opens(context, known, sender)
    with context.write(sender.calling_aet, busy_seconds=RECEIVE_BUSY_SECONDS) as transaction:
        return admission.repeat(transaction, known.row, sender, opens=opens)


def _opens(context: FlowContext, known: _Known, sender: Sender) -> bool:
    """Tell whether an instance that came again is a reason to apply the rules again."""
    way = (sender.calling_aet, sender.called_aet, sender.address)
    return known.row.unusable_reason != OWN_RESULT and matches_newly(
        up_to_date(context).config.rules, way, known.ways
    )


def _set_aside(
    context: FlowContext,
    path: str,
    size: int,
    scanned: ScannedInstance,
    known: _Known,
    sender: Sender,
) -> InsertedInstance | None:
    aside = context.spool.set_aside(path, "variants")
    variant = instances.SetAside(scanned.transfer_syntax_uid, aside, size, scanned.dataset_digest)
    opens = _opens(context, known, sender)
    with context.write(sender.calling_aet, busy_seconds=RECEIVE_BUSY_SECONDS) as transaction:
        record(transaction, "instance", known.row.id, "", "", note="variant set aside")
        inserted = admission.set_aside(transaction, known.row, variant, sender)
        again = admission.repeat(transaction, known.row, sender, opens=opens)
    return inserted if inserted.alarm else again


def _keep_one(context: FlowContext, path: str, known: _Known) -> None:
    """Keep the file that was there, or put the new one in its place if it is not what it was."""
    row = known.row
    if not known.as_first:  # it is a variant's that lies there already
        context.spool.delete(path)
        return
    try:
        check_instances(context.spool, [row])
    except StorageError:
        size = context.spool.path_of(path).stat().st_size
        with context.write(busy_seconds=RECEIVE_BUSY_SECONDS) as transaction:
            instances.replace_file(transaction, row.id, path, size)
        context.spool.delete(row.path)
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
    return first.pixel_digest == second.pixel_digest
