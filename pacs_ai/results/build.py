"""From a prediction, or from why there is none, to the results that are kept and delivered."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from pacs_ai.dicom.foreign import FOREIGN_ERRORS, quiet
from pacs_ai.dicom.writing import part10
from pacs_ai.domain import Refusal, ResultKind, StudyPrediction
from pacs_ai.errors import InvalidResult
from pacs_ai.results.common.context import ResultContext
from pacs_ai.results.common.evidence import Evidence, evidence_of
from pacs_ai.results.content.report_summary import (
    ReportSummary,
    summarise_prediction,
    summarise_refusal,
)
from pacs_ai.results.content.selection import ShownClass, captures, every_image
from pacs_ai.results.documents import fhir, hl7
from pacs_ai.results.documents.illustration import illustrate
from pacs_ai.results.documents.pdf import build_pdf
from pacs_ai.results.images.capture import (
    OVERLAY,
    SIDE_BY_SIDE,
    STACK,
    CaptureStyle,
    GreyImage,
    build_capture,
)
from pacs_ai.results.images.parametric_map import build_map
from pacs_ai.results.images.segmentation import build_seg
from pacs_ai.results.sr.key_object import build_key_object
from pacs_ai.results.sr.measurement_report import build_report
from pacs_ai.results.sr.refusal_report import build_refusal
from pacs_ai.results.sr.region_report import build_region
from pacs_ai.uids import derived_uid

DICOM_SUFFIX = ".dcm"


@dataclass(frozen=True, slots=True)
class BuiltResult:
    """A finished DICOM object. ``number`` counts the results of its kind in the study, from 1."""

    kind: ResultKind
    number: int
    dataset: Dataset
    suffix: str = DICOM_SUFFIX

    @property
    def sop_class_uid(self) -> str:
        """SOP Class UID."""
        return str(self.dataset.SOPClassUID)

    @property
    def sop_instance_uid(self) -> str:
        """SOP Instance UID."""
        return str(self.dataset.SOPInstanceUID)

    @property
    def series_instance_uid(self) -> str:
        """Series Instance UID."""
        return str(self.dataset.SeriesInstanceUID)

    def encode(self) -> bytes:
        """Bytes of the Part 10 file; the same for the same prediction, source and context.

        Raises
        ------
        InvalidResult
            If the object cannot be encoded.
        """
        try:
            with quiet():
                return part10(self.dataset)
        except FOREIGN_ERRORS as error:
            raise InvalidResult(
                f"the {self.kind} cannot be encoded ({type(error).__name__})"
            ) from error

    def write(self, path: Path) -> None:
        """Write the Part 10 file."""
        path.write_bytes(self.encode())


@dataclass(frozen=True, slots=True)
class BuiltDocument:
    """A finished file that is no DICOM object: kept beside the objects, and sent to no PACS.

    Its UID is derived like an instance's; there is neither SOP class nor series.
    """

    kind: ResultKind
    number: int
    content: bytes
    suffix: str
    sop_instance_uid: str
    sop_class_uid: str = ""
    series_instance_uid: str = ""

    def encode(self) -> bytes:
        """Bytes of the file."""
        return self.content

    def write(self, path: Path) -> None:
        """Write the file."""
        path.write_bytes(self.content)


Built = BuiltResult | BuiltDocument


def build_results(
    prediction: StudyPrediction,
    kinds: Sequence[ResultKind],
    context: ResultContext,
    grey: GreyImage,
    evidence: Evidence | None = None,
) -> Iterator[Built]:
    """Make the results of a study, one at a time.

    Parameters
    ----------
    prediction
        What the model says; at least one image.
    kinds
        What is wanted.
    context
        Installation, time, settings.
    grey
        Gives the image as displayed, shape (rows, columns), in [0, 1]. Asked only for images
        that are drawn.
    evidence
        Headers of the analysed instances, where they were read before.

    Yields
    ------
    Built
        In the order of ``kinds``, the most important of each kind first. A kind that shows what
        is present has nothing for a negative study.

    Raises
    ------
    InvalidResult
        If the source or the prediction cannot be put into an object.
    NotDicom
        If a source file cannot be read any more.
    """
    evidence = evidence or evidence_of(prediction)
    work = _Work(prediction, evidence, context, grey)

    def build(kind: ResultKind) -> Iterator[Built]:
        if kind in _OBJECTS:
            for number, dataset in enumerate(_OBJECTS[kind](work), start=1):
                yield BuiltResult(kind, number, dataset)
        else:
            yield _document(kind, summarise_prediction(prediction, evidence, context))

    return _guarded(kinds, build)


def build_refusals(
    refusal: Refusal,
    kinds: Sequence[ResultKind],
    context: ResultContext,
    evidence: Evidence | None = None,
) -> Iterator[Built]:
    """Make what a study gets that was not analysable: reports that say why, and no pictures.

    Parameters
    ----------
    refusal
        Why there is no score.
    kinds
        What is wanted; all but report, pdf, hl7 and fhir need a prediction and are left out.
    context
        Installation, time, settings.
    evidence
        Headers of the instances, where they were read before.

    Raises
    ------
    InvalidResult
        If the source cannot be put into an object.
    NotDicom
        If a source file cannot be read any more.
    """
    evidence = evidence or evidence_of(refusal)

    def build(kind: ResultKind) -> Iterator[Built]:
        summary = summarise_refusal(refusal, evidence, context)
        if kind is ResultKind.REPORT:
            yield BuiltResult(kind, 1, build_refusal(refusal, summary, evidence, context))
        elif kind is ResultKind.PDF:
            yield BuiltResult(kind, 1, build_pdf(summary, None, evidence, context))
        elif kind in _DOCUMENTS:
            yield _document(kind, summary)

    return _guarded(kinds, build)


@dataclass(frozen=True, slots=True)
class _Work:
    """What the builders of DICOM objects draw on."""

    prediction: StudyPrediction
    evidence: Evidence
    context: ResultContext
    grey: GreyImage


def _report(work: _Work) -> Iterator[Dataset]:
    yield build_report(work.prediction, work.evidence, work.context)


def _captures(work: _Work) -> Iterator[Dataset]:
    return _pictures(work, captures(work.prediction), OVERLAY)


def _side_by_side(work: _Work) -> Iterator[Dataset]:
    return _pictures(work, captures(work.prediction), SIDE_BY_SIDE)


def _stack(work: _Work) -> Iterator[Dataset]:
    return _pictures(work, every_image(work.prediction), STACK)


def _pictures(work: _Work, chosen: Sequence[ShownClass], style: CaptureStyle) -> Iterator[Dataset]:
    for shown in chosen:
        yield build_capture(work.prediction, shown, work.evidence, work.context, work.grey, style)


def _region(work: _Work) -> Iterator[Dataset]:
    made = build_region(work.prediction, work.evidence, work.context)
    return iter(() if made is None else (made,))


def _maps(work: _Work) -> Iterator[Dataset]:
    return build_map(work.prediction, work.evidence, work.context)


def _key_object(work: _Work) -> Iterator[Dataset]:
    made = build_key_object(work.prediction, work.evidence, work.context)
    return iter(() if made is None else (made,))


def _segmentations(work: _Work) -> Iterator[Dataset]:
    return build_seg(work.prediction, work.evidence, work.context)


def _pdf(work: _Work) -> Iterator[Dataset]:
    summary = summarise_prediction(work.prediction, work.evidence, work.context)
    picture = illustrate(work.prediction, work.evidence, work.grey)
    yield build_pdf(summary, picture, work.evidence, work.context)


_OBJECTS: Mapping[ResultKind, Callable[[_Work], Iterator[Dataset]]] = {
    ResultKind.REPORT: _report,
    ResultKind.CAPTURE: _captures,
    ResultKind.REGION: _region,
    ResultKind.MAP: _maps,
    ResultKind.KEY_OBJECT: _key_object,
    ResultKind.SEG: _segmentations,
    ResultKind.PDF: _pdf,
    ResultKind.STACK: _stack,
    ResultKind.SIDE_BY_SIDE: _side_by_side,
}
_DOCUMENTS: Mapping[ResultKind, tuple[Callable[[ReportSummary], bytes], str]] = {
    ResultKind.HL7: (hl7.build_message, hl7.SUFFIX),
    ResultKind.FHIR: (fhir.build_bundle, fhir.SUFFIX),
}


def _document(kind: ResultKind, summary: ReportSummary) -> BuiltDocument:
    write, suffix = _DOCUMENTS[kind]
    uid = derived_uid(kind, summary.uid)
    return BuiltDocument(kind, 1, write(summary), suffix, uid)


def _guarded(
    kinds: Sequence[ResultKind], build: Callable[[ResultKind], Iterator[Built]]
) -> Iterator[Built]:
    """Give one result after the other, so that a long series is never in memory as a whole."""
    for kind in kinds:
        results = build(kind)
        while True:
            try:
                with quiet():
                    made = next(results, None)
            except FOREIGN_ERRORS as error:
                raise InvalidResult(
                    f"the {kind} cannot be built ({type(error).__name__})"
                ) from error
            if made is None:
                break
            yield made
