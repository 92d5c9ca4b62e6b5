"""A peer that refuses a SOP class gets the next best result that it may take.

A report in Comprehensive 3D SR becomes one in Comprehensive SR, and that one in Enhanced SR. In
place of a map or a segmentation the peer gets the captures of the same job, if its rule has them
made.
"""

from pacs_ai.dicom.modules import (
    COMPREHENSIVE_3D_SR,
    COMPREHENSIVE_SR,
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
from pacs_ai.results.sr.comprehensive_sr import as_comprehensive_sr, as_enhanced_sr
from pacs_ai.store import deliveries, new_deliveries, results
from pacs_ai.store.deliveries import ClaimedDelivery
from pacs_ai.store.results import StoredResult

_OLDER = {
    COMPREHENSIVE_3D_SR: (as_comprehensive_sr, "2D"),
    COMPREHENSIVE_SR: (as_enhanced_sr, "2D enhanced"),
}
"""By the class that is refused: what makes the older report, and how its kind ends."""

_SHOWN_BY_CAPTURES = frozenset({PARAMETRIC_MAP, SEGMENTATION})

_log = get_logger()


def substitute(context: FlowContext, claimed: ClaimedDelivery, job: str, destination: str) -> bool:
    """Replace a result whose class the peer refused by one of a class that it may take.

    Returns
    -------
    bool
        False if there is no such result.
    """
    if claimed.sop_class_uid in _SHOWN_BY_CAPTURES:
        return _by_captures(context, claimed, JobId(job), destination)
    return claimed.sop_class_uid in _OLDER and _by_older_report(context, claimed, job, destination)


def _by_captures(
    context: FlowContext, claimed: ClaimedDelivery, job: JobId, destination: str
) -> bool:
    with context.write() as transaction:
        captures = results.of_kind(transaction, job, ResultKind.CAPTURE)
        if not captures:
            return False
        pairs = [(one, destination) for one in captures]
        left = new_deliveries.not_begun(transaction, pairs)
        if left:
            deliveries.exchange(transaction, claimed, left[0][0])
            new_deliveries.begin(transaction, job, left[1:])
            ask_delivery(context, transaction, job, destination)
        else:
            text = "the peer refuses this class; it gets the captures of the job"
            deliveries.not_taken(transaction, claimed, text)
    _log.info("captures in place of a refused class", job=job, peer=destination)
    return True


def _by_older_report(
    context: FlowContext, claimed: ClaimedDelivery, job: str, destination: str
) -> bool:
    make, suffix = _OLDER[claimed.sop_class_uid]
    try:
        report = make(context.spool.path_of(claimed.path))
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
        kind=f"{kind.partition(' ')[0]} {suffix}",
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
