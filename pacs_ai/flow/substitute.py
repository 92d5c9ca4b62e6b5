"""A peer that refuses Comprehensive 3D SR gets the report as Comprehensive SR."""

from pacs_ai.dicom.modules import COMPREHENSIVE_3D_SR
from pacs_ai.digests import digest_of
from pacs_ai.domain import TaskKind
from pacs_ai.errors import InvalidResult
from pacs_ai.flow.context import FlowContext, pair_key
from pacs_ai.flow.integrity import stored_before
from pacs_ai.logs import get_logger
from pacs_ai.results.build import DICOM_SUFFIX
from pacs_ai.results.sr.comprehensive_sr import as_comprehensive_sr
from pacs_ai.store import deliveries, results
from pacs_ai.store.deliveries import ClaimedDelivery
from pacs_ai.store.results import StoredResult

KIND_SUFFIX = "2D"
"""The kind of such a result ends with this."""

_log = get_logger()


def substitute(context: FlowContext, claimed: ClaimedDelivery, job: str, destination: str) -> bool:
    """Replace a report whose class the peer refused by one of a class that it may take.

    Returns
    -------
    bool
        False if there is no such report: the result is of another class, or cannot be converted.
    """
    if claimed.sop_class_uid != COMPREHENSIVE_3D_SR:
        return False
    try:
        report = as_comprehensive_sr(context.spool.path_of(claimed.path))
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
        kind=f"{kind} {KIND_SUFFIX}",
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
        deliveries.exchange(transaction, claimed, made)
        context.engine.enqueue(transaction, TaskKind.DELIVER, pair_key(job, destination))
    _log.info("report sent as Comprehensive SR", job=job, peer=destination)
    return True
