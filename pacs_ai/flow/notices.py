"""What tells a destination that results do not hold any more: a note, a report, a document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pacs_ai.dicom.modules import REPORTS
from pacs_ai.dicom.validate import check_dataset
from pacs_ai.digests import digest_of
from pacs_ai.domain import DOCUMENTS, ResultKind
from pacs_ai.errors import InvalidResult
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.notice_sources import NoticeSources
from pacs_ai.results.build import DICOM_SUFFIX, BuiltResult
from pacs_ai.results.common.context import result_context
from pacs_ai.results.common.evidence import read_source
from pacs_ai.results.documents import fhir, hl7
from pacs_ai.results.documents.withdrawn import DocumentWithdrawal, notice_kind, withdraw_document
from pacs_ai.results.sr.rejection_note import Withdrawn, build_rejection
from pacs_ai.results.sr.withdrawal_report import build_withdrawal_report
from pacs_ai.store.results import StoredResult
from pacs_ai.store.schema import Result, Study
from pacs_ai.uids import derived_uid
from pacs_ai.withdrawal_kinds import Notice, RejectionReason, WithdrawalWay

_SUFFIXES: Mapping[str, str] = {ResultKind.HL7: hl7.SUFFIX, ResultKind.FHIR: fhir.SUFFIX}
_CORRECTED = (
    "The patient of this study was corrected after these AI results were made. They do not hold; "
    "results under the right patient take their place."
)
_WHY = {
    RejectionReason.QUALITY: "These AI results were withdrawn for reasons of quality.",
    RejectionReason.PATIENT_SAFETY: "These AI results were withdrawn for the safety of patients.",
    RejectionReason.WORKLIST: (
        "These AI results were withdrawn: the images belong to another entry of the worklist."
    ),
    RejectionReason.RETENTION: "These AI results were withdrawn: they are not to be kept longer.",
}


@dataclass(frozen=True, slots=True)
class Telling:
    """What a destination is told by one notice.

    Parameters
    ----------
    destination
        Name of the peer.
    results
        What does not hold any more: DICOM objects, or one document.
    reason
        Why.
    corrected
        Whether it is because the patient was corrected.
    replacement
        SOP Instance UID of the report that takes their place, if there is one already.
    """

    destination: str
    results: Sequence[Result]
    reason: RejectionReason
    corrected: bool
    replacement: str

    @property
    def why(self) -> str:
        """The reason in sentences."""
        why = _CORRECTED if self.corrected else _WHY[self.reason]
        return f"{why} Report {self.replacement} takes their place." if self.replacement else why


def make_notice(
    context: FlowContext, study: Study, sources: NoticeSources, identity: str, telling: Telling
) -> StoredResult:
    """Make a notice and write it to the spool.

    Parameters
    ----------
    sources
        What it is made from.
    identity
        See `pacs_ai.results.common.context.ResultContext`.

    Raises
    ------
    StorageError
        If a file cannot be read or written.
    InvalidResult
        If the notice breaks a rule of the standard.
    """
    if telling.results[0].kind in DOCUMENTS:
        return _document(context, sources, identity, telling)
    return _object(context, study, sources, identity, telling)


def _object(
    context: FlowContext, study: Study, sources: NoticeSources, identity: str, telling: Telling
) -> StoredResult:
    made_by = result_context(context.config, context.installation_uid(), context.now())
    made_by = replace(made_by, identity=identity)
    with sources.file() as file:
        source = read_source(file)
    withdrawn = [
        Withdrawn(
            study.study_instance_uid,
            result.series_instance_uid,
            result.sop_class_uid,
            result.sop_instance_uid,
        )
        for result in telling.results
    ]
    said = (telling.reason, telling.why, telling.destination, source, made_by)
    if context.config.peers[telling.destination].withdrawal is WithdrawalWay.SUPERSEDE:
        kind = Notice.REPORT
        reports = [one for one in withdrawn if one.sop_class_uid in REPORTS]
        notice = build_withdrawal_report(reports, *said)
    else:
        kind = Notice.NOTE
        notice = build_rejection(withdrawn, *said)
    if problems := check_dataset(notice):
        raise InvalidResult(f"{kind}: {problems[0]}")
    built = BuiltResult(ResultKind.KEY_OBJECT, 1, notice)
    uids = built.sop_class_uid, built.sop_instance_uid, built.series_instance_uid
    return _stored(context, telling, kind, uids, built.encode(), DICOM_SUFFIX)


def _document(
    context: FlowContext, sources: NoticeSources, identity: str, telling: Telling
) -> StoredResult:
    (old,) = telling.results
    content = sources.content(old)
    kind = notice_kind(old.kind)
    uid = derived_uid(kind, telling.destination, old.sop_instance_uid, identity)
    wrong_patient = telling.corrected or telling.reason is RejectionReason.WORKLIST
    said = DocumentWithdrawal(telling.why, wrong_patient, uid, context.now().astimezone())
    made = withdraw_document(old.kind, content, said)
    return _stored(context, telling, kind, ("", uid, ""), made, _SUFFIXES[old.kind])


def _stored(
    context: FlowContext,
    telling: Telling,
    kind: Notice,
    uids: tuple[str, str, str],
    content: bytes,
    suffix: str,
) -> StoredResult:
    sop_class_uid, sop_instance_uid, series_instance_uid = uids
    return StoredResult(
        kind=kind,
        number=0,
        sop_class_uid=sop_class_uid,
        sop_instance_uid=sop_instance_uid,
        series_instance_uid=series_instance_uid,
        path=context.spool.write_result([content], suffix),
        digest=digest_of(content),
        send_to=(telling.destination,),
        fresh=True,
        bytes=len(content),
    )
