"""The kinds of results, one row each. ``docs/extending.md`` tells how to add one."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pydicom.dataset import Dataset

from pacs_ai.dicom.modules import (
    COMPREHENSIVE_3D_SR,
    ENCAPSULATED_PDF,
    KEY_OBJECT_SELECTION,
    LABEL_MAP_SEGMENTATION,
    PARAMETRIC_MAP,
    SECONDARY_CAPTURE,
    SEGMENTATION,
)
from pacs_ai.domain import ResultKind
from pacs_ai.results.content.report_summary import ReportSummary
from pacs_ai.results.content.study import AnalysedStudy, RefusedStudy
from pacs_ai.results.documents import fhir, hl7
from pacs_ai.results.documents.pdf import build_pdf
from pacs_ai.results.images.capture import build_overlays, build_side_by_side, build_stack
from pacs_ai.results.images.contact_sheet import build_contact_sheet
from pacs_ai.results.images.parametric_map import build_map
from pacs_ai.results.images.segmentation import build_label_map, build_seg
from pacs_ai.results.sr.key_object import build_key_object
from pacs_ai.results.sr.measurement_report import build_report
from pacs_ai.results.sr.refusal_report import build_refusal
from pacs_ai.results.sr.region_report import build_region


@dataclass(frozen=True, slots=True)
class Objects:
    """A kind of result that consists of DICOM objects: it can be sent to every destination.

    Parameters
    ----------
    sop_class_uid
        SOP class of the objects.
    build
        Makes the objects of a study, the most important first; none where there is nothing to
        show. `pacs_ai.analysis` checks each object against the standard.
    refuse
        Makes the objects that say why a study was not analysable; None if the kind cannot say it.
    needs_heat_map
        Whether the kind shows nothing but heat maps, and is refused where the model has none.
    """

    sop_class_uid: str
    build: Callable[[AnalysedStudy], Iterator[Dataset]]
    refuse: Callable[[RefusedStudy], Iterator[Dataset]] | None = None
    needs_heat_map: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """A kind of result that is a file and no DICOM object: no PACS gets it.

    Parameters
    ----------
    suffix
        Ending of the file's name, with the dot.
    write
        Makes the content of the file from the summary of a study, analysed or not.
    """

    suffix: str
    write: Callable[[ReportSummary], bytes]


KINDS: Mapping[ResultKind, Objects | Document] = {
    ResultKind.REPORT: Objects(COMPREHENSIVE_3D_SR, build_report, build_refusal),
    ResultKind.CAPTURE: Objects(SECONDARY_CAPTURE, build_overlays),
    ResultKind.REGION: Objects(COMPREHENSIVE_3D_SR, build_region, needs_heat_map=True),
    ResultKind.MAP: Objects(PARAMETRIC_MAP, build_map, needs_heat_map=True),
    ResultKind.KEY_OBJECT: Objects(KEY_OBJECT_SELECTION, build_key_object),
    ResultKind.SEG: Objects(SEGMENTATION, build_seg, needs_heat_map=True),
    ResultKind.PDF: Objects(ENCAPSULATED_PDF, build_pdf, build_pdf),
    ResultKind.HL7: Document(hl7.SUFFIX, hl7.build_message),
    ResultKind.FHIR: Document(fhir.SUFFIX, fhir.build_bundle),
    ResultKind.STACK: Objects(SECONDARY_CAPTURE, build_stack),
    ResultKind.SIDE_BY_SIDE: Objects(SECONDARY_CAPTURE, build_side_by_side),
    ResultKind.CONTACT_SHEET: Objects(SECONDARY_CAPTURE, build_contact_sheet),
    ResultKind.LABEL_MAP: Objects(LABEL_MAP_SEGMENTATION, build_label_map, needs_heat_map=True),
}
"""Every kind of result, in the order of `ResultKind`."""

PICTURES = (
    ResultKind.CAPTURE,
    ResultKind.SIDE_BY_SIDE,
    ResultKind.CONTACT_SHEET,
    ResultKind.STACK,
)
"""Kinds that every viewer shows, the one that shows the fewest images first."""

SHOWN_BY_PICTURES = (ResultKind.MAP, ResultKind.SEG, ResultKind.LABEL_MAP)
"""Kinds in whose place a peer gets pictures, if it refuses their class.

In place of a label map it first gets the binary segmentation.
"""

NEED_HEAT_MAPS = frozenset(
    kind for kind, row in KINDS.items() if isinstance(row, Objects) and row.needs_heat_map
)
"""Kinds that are refused where the model has no heat maps."""
