"""The kinds of results, one row each. ``docs/extending.md`` tells how to add one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from pacs_ai.dicom.modules import (
    COMPREHENSIVE_3D_SR,
    ENCAPSULATED_PDF,
    KEY_OBJECT_SELECTION,
    PARAMETRIC_MAP,
    SECONDARY_CAPTURE,
    SEGMENTATION,
)
from pacs_ai.domain import ResultKind
from pacs_ai.results.content.selection import ShownClass, captures, every_image
from pacs_ai.results.content.study import AnalysedStudy, RefusedStudy
from pacs_ai.results.documents import fhir, hl7
from pacs_ai.results.documents.illustration import illustrate
from pacs_ai.results.documents.pdf import build_pdf
from pacs_ai.results.images.capture import (
    OVERLAY,
    SIDE_BY_SIDE,
    STACK,
    CaptureStyle,
    build_capture,
)
from pacs_ai.results.images.parametric_map import build_map
from pacs_ai.results.images.segmentation import build_seg
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
    """

    sop_class_uid: str
    build: Callable[[AnalysedStudy], Iterator[Dataset]]
    refuse: Callable[[RefusedStudy], Iterator[Dataset]] | None = None


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
    write: Callable[[AnalysedStudy | RefusedStudy], bytes]


def _report(study: AnalysedStudy) -> Iterator[Dataset]:
    yield build_report(study.prediction, study.evidence, study.context)


def _refused_report(study: RefusedStudy) -> Iterator[Dataset]:
    yield build_refusal(study.refusal, study.summary, study.evidence, study.context)


def _overlays(study: AnalysedStudy) -> Iterator[Dataset]:
    return _captures(study, captures(study.prediction), OVERLAY)


def _side_by_side(study: AnalysedStudy) -> Iterator[Dataset]:
    return _captures(study, captures(study.prediction), SIDE_BY_SIDE)


def _stack(study: AnalysedStudy) -> Iterator[Dataset]:
    return _captures(study, every_image(study.prediction), STACK)


def _captures(
    study: AnalysedStudy, chosen: Sequence[ShownClass], style: CaptureStyle
) -> Iterator[Dataset]:
    for shown in chosen:
        yield build_capture(
            study.prediction, shown, study.evidence, study.context, study.grey, style
        )


def _region(study: AnalysedStudy) -> Iterator[Dataset]:
    made = build_region(study.prediction, study.evidence, study.context)
    return iter(() if made is None else (made,))


def _maps(study: AnalysedStudy) -> Iterator[Dataset]:
    return build_map(study.prediction, study.evidence, study.context)


def _key_object(study: AnalysedStudy) -> Iterator[Dataset]:
    made = build_key_object(study.prediction, study.evidence, study.context)
    return iter(() if made is None else (made,))


def _segmentations(study: AnalysedStudy) -> Iterator[Dataset]:
    return build_seg(study.prediction, study.evidence, study.context)


def _pdf(study: AnalysedStudy) -> Iterator[Dataset]:
    picture = illustrate(study.prediction, study.evidence, study.grey)
    yield build_pdf(study.summary, picture, study.evidence, study.context)


def _refused_pdf(study: RefusedStudy) -> Iterator[Dataset]:
    yield build_pdf(study.summary, None, study.evidence, study.context)


def _hl7(study: AnalysedStudy | RefusedStudy) -> bytes:
    return hl7.build_message(study.summary)


def _fhir(study: AnalysedStudy | RefusedStudy) -> bytes:
    return fhir.build_bundle(study.summary)


KINDS: Mapping[ResultKind, Objects | Document] = {
    ResultKind.REPORT: Objects(COMPREHENSIVE_3D_SR, _report, _refused_report),
    ResultKind.CAPTURE: Objects(SECONDARY_CAPTURE, _overlays),
    ResultKind.REGION: Objects(COMPREHENSIVE_3D_SR, _region),
    ResultKind.MAP: Objects(PARAMETRIC_MAP, _maps),
    ResultKind.KEY_OBJECT: Objects(KEY_OBJECT_SELECTION, _key_object),
    ResultKind.SEG: Objects(SEGMENTATION, _segmentations),
    ResultKind.PDF: Objects(ENCAPSULATED_PDF, _pdf, _refused_pdf),
    ResultKind.HL7: Document(hl7.SUFFIX, _hl7),
    ResultKind.FHIR: Document(fhir.SUFFIX, _fhir),
    ResultKind.STACK: Objects(SECONDARY_CAPTURE, _stack),
    ResultKind.SIDE_BY_SIDE: Objects(SECONDARY_CAPTURE, _side_by_side),
}
"""Every kind of result, in the order of `ResultKind`."""
