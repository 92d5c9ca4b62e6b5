"""The report that takes the place of one that was withdrawn, for archives that know no notes.

It has a series of its own. In the series of the withdrawn report OHIF 3.13.2 would show that report
under the description of this one: it lists a series of reports by the newest, and writes out the
text of the oldest. What it replaces stands in Predecessor Documents Sequence (PS3.3 Section
C.17.2).
"""

from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from pacs_ai.domain import ResultKind
from pacs_ai.results.common.codes import AI_PROCEDURE, REJECTED
from pacs_ai.results.common.context import ResultContext
from pacs_ai.results.common.equipment import observer_of
from pacs_ai.results.common.object_header import ObjectHeader, new_object
from pacs_ai.results.content.report_summary import NOTICE
from pacs_ai.results.sr.basic_report import basic_report
from pacs_ai.results.sr.references import evidence_items, referenced_requests
from pacs_ai.results.sr.rejection_note import MADE_BY_NO_MODEL, Withdrawn
from pacs_ai.results.sr.sr_document import set_status
from pacs_ai.withdrawal_kinds import RejectionReason

SERIES_DESCRIPTION = "AI results withdrawn"
ROLE = "withdrawn_report"


def build_withdrawal_report(
    reports: Sequence[Withdrawn],
    reason: RejectionReason,
    why: str,
    receiver: str,
    source: Dataset,
    context: ResultContext,
) -> Dataset:
    """Make the report.

    Parameters
    ----------
    reports
        The withdrawn structured reports. The new report has the class of the first.
    reason, why, receiver, source, context
        As for `pacs_ai.results.sr.rejection_note.build_rejection`.
    """
    replaced = sorted(one.sop_instance_uid for one in reports)
    header = ObjectHeader(
        sop_class_uid=reports[0].sop_class_uid if reports else Comprehensive3DSRStorage,
        modality="SR",
        role="/".join((ROLE, receiver, *replaced)),
        series_number=context.series_number(ResultKind.REPORT),
        series_description=SERIES_DESCRIPTION,
        instance_number=1,
        instance_key=(receiver, *replaced),
    )
    made = new_object(header, source, MADE_BY_NO_MODEL, context)
    set_status(made)
    made.PerformedProcedureCodeSequence = [AI_PROCEDURE]
    made.ReferencedPerformedProcedureStepSequence = []
    if requests := referenced_requests(source):
        made.ReferencedRequestSequence = requests
    if reports:
        made.PredecessorDocumentsSequence = evidence_items(reports)
    finding = f"The AI results of this study are withdrawn: {REJECTED[reason].meaning}."
    conclusion = f"{why} This says nothing of what the images show. {NOTICE}."
    for element in basic_report(
        observer_of(MADE_BY_NO_MODEL, context.installation_uid), finding, conclusion
    ):
        made[element.tag] = element
    return made
