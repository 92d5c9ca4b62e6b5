"""The page as a DICOM object: Encapsulated PDF (PS3.3 Section A.45.1)."""

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage

from pacs_ai.domain import ResultKind
from pacs_ai.results.common.codes import REPORT_TITLE
from pacs_ai.results.common.object_header import ObjectHeader, new_object, references
from pacs_ai.results.content.study import AnalysedStudy, RefusedStudy
from pacs_ai.results.documents.illustration import illustrate
from pacs_ai.results.documents.page import draw_page

SERIES_DESCRIPTION = "AI report, one page (research)"
ROLE = "pdf"


def build_pdf(study: AnalysedStudy | RefusedStudy) -> Iterator[Dataset]:
    """Make the one-page report, with the heat map over the image if the study was analysed."""
    summary, evidence, context = study.summary, study.evidence, study.context
    picture = illustrate(study) if isinstance(study, AnalysedStudy) else None
    header = ObjectHeader(
        sop_class_uid=EncapsulatedPDFStorage,
        modality="DOC",
        role=ROLE,
        series_number=context.series_number(ResultKind.PDF),
        series_description=SERIES_DESCRIPTION,
        instance_number=1,
        instance_key=(summary.uid, *study.results.document_key),
    )
    made = new_object(header, evidence.reference, summary.model, context)
    made.ConversionType = "WSD"
    made.BurnedInAnnotation = "YES"
    made.AcquisitionDateTime = None
    made.DocumentTitle = "AI classification report (research)"
    made.ConceptNameCodeSequence = [REPORT_TITLE]
    made.SourceInstanceSequence = references(
        [(header.sop_class_uid, header.sop_instance_uid) for header in evidence.headers]
    )
    if study.results.root is not None:
        made.ReferencedInstanceSequence = study.results.root.instance_items(purpose=False)
    page = draw_page(summary, picture, context.font)
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocumentLength = len(page)
    made.EncapsulatedDocument = page + b"\0" * (len(page) % 2)
    yield made
