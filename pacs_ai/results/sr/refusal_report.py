"""The report of a study that was not analysable: the reason in a sentence, and no score."""

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from pacs_ai.domain import ResultKind
from pacs_ai.results.common.equipment import observer_of
from pacs_ai.results.common.object_header import ObjectHeader
from pacs_ai.results.common.result_set import ROOT
from pacs_ai.results.content.report_summary import NOTICE
from pacs_ai.results.content.study import RefusedStudy
from pacs_ai.results.content.wording import omission
from pacs_ai.results.sr.basic_report import basic_report
from pacs_ai.results.sr.related_results import refer_to_results
from pacs_ai.results.sr.sr_document import new_document

SERIES_DESCRIPTION = "AI classification: not analysable (research)"


def build_refusal(study: RefusedStudy) -> Iterator[Dataset]:
    """Make the report.

    Notes
    -----
    It goes to the series of the reports, so that the report of a later, analysable revision of the
    study takes its place.
    """
    summary, context = study.summary, study.context
    header = ObjectHeader(
        sop_class_uid=Comprehensive3DSRStorage,
        modality="SR",
        role=ROOT,
        series_number=context.series_number(ResultKind.REPORT),
        series_description=SERIES_DESCRIPTION,
        instance_number=1,
        instance_key=(summary.uid, *study.results.root_key),
    )
    model = study.refusal.model
    nothing = (
        f"No result of {model.name} {model.version}. This says nothing of what the images show. "
        f"{NOTICE}."
    )
    if said := omission(summary.left_out):
        nothing += f" {said[:1].upper()}{said[1:]}."
    by = observer_of(model, context.installation_uid)
    root = basic_report(by, f"{summary.conclusion}.", nothing)
    document = new_document(header, study.evidence, model, context, root)
    refer_to_results(document, study.evidence, study.results)
    yield document
