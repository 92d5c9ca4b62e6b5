"""A peer that refuses a SOP class gets the next best result that it may take.

A report in Comprehensive 3D SR becomes one in Comprehensive SR, that one in Enhanced SR, and that
one in Basic Text SR. In place of a label map the peer gets the binary segmentation of the same job,
in place of a map or a segmentation its captures, and in place of a page (PDF) or of regions its
report.
"""

from collections.abc import Mapping, Sequence

from pacs_ai.dicom.modules import (
    ENCAPSULATED_PDF,
    ENHANCED_SR,
    LABEL_MAP_SEGMENTATION,
    PARAMETRIC_MAP,
    SEGMENTATION,
)
from pacs_ai.digests import digest_of
from pacs_ai.domain import JobId, ResultKind
from pacs_ai.errors import InvalidResult
from pacs_ai.flow.ask import ask_delivery
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.integrity import stored_before
from pacs_ai.logs import get_logger
from pacs_ai.results.build import DICOM_SUFFIX
from pacs_ai.results.kinds import PICTURES
from pacs_ai.results.sr.older_report import OLDER
from pacs_ai.store import deliveries, new_deliveries, results
from pacs_ai.store.deliveries import ClaimedDelivery
from pacs_ai.store.results import StoredResult

_REPORT = (ResultKind.REPORT,)
_SHOWN_BY: Mapping[str, Sequence[ResultKind]] = {
    PARAMETRIC_MAP: PICTURES,
    SEGMENTATION: PICTURES,
    LABEL_MAP_SEGMENTATION: (ResultKind.SEG, *PICTURES),
    ENCAPSULATED_PDF: _REPORT,
}
"""By the class that is refused: kinds of which the first that the job has made says the same."""

_log = get_logger()


def substitute(context: FlowContext, claimed: ClaimedDelivery, job: str, destination: str) -> bool:
    """Replace a result whose class the peer refused by one of a class that it may take.

    Returns
    -------
    bool
        False if there is no such result.
    """
    others = _SHOWN_BY.get(claimed.sop_class_uid, ())
    if claimed.sop_class_uid == ENHANCED_SR and claimed.kind.startswith(ResultKind.REGION):
        others = _REPORT  # outlines as text are of no use
    if others:
        return _by_others(context, claimed, JobId(job), destination, others)
    return claimed.sop_class_uid in OLDER and _by_older_report(context, claimed, job, destination)


def _by_others(
    context: FlowContext,
    claimed: ClaimedDelivery,
    job: JobId,
    destination: str,
    kinds: Sequence[ResultKind],
) -> bool:
    with context.write() as transaction:
        made = [(kind, results.of_kind(transaction, job, kind)) for kind in kinds]
        kind, shown = next((one for one in made if one[1]), ("", []))
        if not shown:
            return False
        left = new_deliveries.not_begun(transaction, [(one, destination) for one in shown])
        if left and not new_deliveries.is_replaced(transaction, job, destination, kind):
            deliveries.exchange(transaction, claimed, left[0][0])
            new_deliveries.begin(transaction, job, left[1:], in_place_of=claimed.kind)
            ask_delivery(context, transaction, job, destination)
        else:
            text = f"the peer refuses this class; it gets the {kind} of the job"
            deliveries.not_taken(transaction, claimed, text)
    _log.info("another result in place of a refused class", job=job, peer=destination, kind=kind)
    return True


def _by_older_report(
    context: FlowContext, claimed: ClaimedDelivery, job: str, destination: str
) -> bool:
    form = OLDER[claimed.sop_class_uid]
    try:
        report = form.make(context.spool.path_of(claimed.path))
    except InvalidResult:
        return False
    known = stored_before(context, report.sop_instance_uid)
    with context.database.read() as session:
        kind, number = results.kind_of(session, claimed.sop_instance_uid)
    if known is None:
        path, size, digest = (
            context.spool.write_result([report.content], DICOM_SUFFIX),
            len(report.content),
            digest_of(report.content),
        )
    else:
        path, size, digest = known.path, known.bytes, known.digest
    made = StoredResult(
        kind=f"{kind.partition(' ')[0]} {form.suffix}",
        number=number,
        sop_class_uid=report.sop_class_uid,
        sop_instance_uid=report.sop_instance_uid,
        series_instance_uid=report.series_instance_uid,
        path=path,
        digest=digest,
        send_to=(destination,),
        fresh=known is None,
        bytes=size,
    )
    with context.write() as transaction:
        (row,) = results.keep(transaction, JobId(job), [made])
        deliveries.exchange(transaction, claimed, row)
        ask_delivery(context, transaction, job, destination)
    _log.info("report sent in an older SR class", job=job, peer=destination, kind=made.kind)
    return True
