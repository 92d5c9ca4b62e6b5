"""From a prediction, or the reason why there is none, to the results, kind by kind."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydicom.dataset import Dataset

from pacs_ai.dicom.quiet_libraries import FOREIGN_ERRORS, quiet
from pacs_ai.dicom.writing import part10_pieces
from pacs_ai.domain import DOCUMENTS, REFUSALS, ResultKind, StudyPrediction
from pacs_ai.errors import InvalidResult
from pacs_ai.refusal import Refusal
from pacs_ai.results.common.context import ResultContext
from pacs_ai.results.common.evidence import Evidence, evidence_of
from pacs_ai.results.common.result_set import ROOT, MadeObject, ResultSet, result_set
from pacs_ai.results.content.report_summary import summarise_refusal
from pacs_ai.results.content.study import AnalysedStudy, RefusedStudy, ShownImage
from pacs_ai.results.kinds import KINDS, NEED_HEAT_MAPS, Document

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

    def reference(self) -> MadeObject:
        """Return the object as the report refers to it."""
        segments = self.dataset.get("SegmentSequence", [])
        named = next((one for one in segments if "TrackingID" in one), self.dataset)
        return MadeObject(
            kind=self.kind,
            study_instance_uid=str(self.dataset.StudyInstanceUID),
            series_instance_uid=self.series_instance_uid,
            sop_class_uid=self.sop_class_uid,
            sop_instance_uid=self.sop_instance_uid,
            tracking=str(named.get("TrackingID", "")),
        )

    def encode(self) -> bytes:
        """Bytes of the Part 10 file: the pieces, joined."""
        return b"".join(self.pieces())

    def pieces(self) -> Sequence[bytes]:
        """Bytes of the Part 10 file; the same for the same prediction, source and context.

        Raises
        ------
        InvalidResult
            If the object cannot be encoded.
        """
        try:
            with quiet():
                return part10_pieces(self.dataset)
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

    def pieces(self) -> Sequence[bytes]:
        """Bytes of the file."""
        return [self.content]

    def write(self, path: Path) -> None:
        """Write the file."""
        path.write_bytes(self.content)


Built = BuiltResult | BuiltDocument


def build_results(
    prediction: StudyPrediction,
    kinds: Sequence[ResultKind],
    context: ResultContext,
    shown: ShownImage,
    evidence: Evidence | None = None,
    results: ResultSet | None = None,
) -> Iterator[Built]:
    """Make the results of a study, one at a time: those that refer to others come after them.

    Parameters
    ----------
    prediction
        What the model says; at least one image.
    kinds
        What is wanted.
    context
        Installation, time, settings.
    shown
        Gives the image as displayed: grey in [0, 1], shape (rows, columns), or RGB of 8 bits.
        Asked only for images that are drawn.
    evidence
        Headers of the analysed instances, where they were read before.
    results
        What belongs together, where it is made in several calls; what is made is added to it.

    Yields
    ------
    Built
        In the order of `in_order`, the most important of each kind first. A kind that shows what
        is present has nothing for a negative study.

    Raises
    ------
    InvalidResult
        If the source or the prediction cannot be put into an object, or the kind shows nothing but
        heat maps and the model has none.
    NotDicom
        If a source file cannot be read any more.
    """
    evidence = evidence or evidence_of(prediction)
    results = results or results_of(prediction, kinds, context, evidence)
    return _build(kinds, AnalysedStudy(prediction, evidence, context, shown, results))


def build_refusals(
    refusal: Refusal,
    kinds: Sequence[ResultKind],
    context: ResultContext,
    evidence: Evidence | None = None,
    results: ResultSet | None = None,
) -> Iterator[Built]:
    """Make what a study gets that was not analysable: reports that say why, and no pictures.

    Parameters
    ----------
    refusal
        Why there is no score.
    kinds
        What is wanted; the kinds that need a prediction make nothing.
    context
        Installation, time, settings.
    evidence
        Headers of the instances, where they were read before.
    results
        As for `build_results`.

    Raises
    ------
    InvalidResult
        If the source cannot be put into an object.
    NotDicom
        If a source file cannot be read any more.
    """
    evidence = evidence or evidence_of(refusal)
    results = results or results_of(refusal, kinds, context, evidence)
    return _build(kinds, RefusedStudy(refusal, evidence, context, results))


def results_of(
    about: StudyPrediction | Refusal,
    kinds: Sequence[ResultKind],
    context: ResultContext,
    evidence: Evidence,
) -> ResultSet:
    """Return the set of a study's results, before any of them is made."""
    if isinstance(about, Refusal):
        kinds = [kind for kind in kinds if kind in REFUSALS]
        key: tuple[str, ...] = (summarise_refusal(about, evidence, context).uid,)
    else:
        key = evidence.instance_key
    return result_set(kinds, context, about.model, evidence.study_instance_uid, key)


def in_order(kinds: Sequence[ResultKind]) -> list[ResultKind]:
    """Order kinds as they are made: objects, the report that refers to them, then documents.

    Documents refer to all objects, the report among them.
    """
    return sorted(kinds, key=lambda kind: (kind in DOCUMENTS, kind is ROOT))


def _build(kinds: Sequence[ResultKind], study: AnalysedStudy | RefusedStudy) -> Iterator[Built]:
    """Give one result after the other, so that a long series is never in memory as a whole."""
    for kind in in_order(kinds):
        of_kind = _of_kind(kind, study)
        while True:
            try:
                with quiet():
                    made = next(of_kind, None)
            except FOREIGN_ERRORS as error:
                raise InvalidResult(
                    f"the {kind} cannot be built ({type(error).__name__})"
                ) from error
            if made is None:
                break
            if isinstance(made, BuiltResult):
                study.results.made.append(made.reference())
            yield made
            del made  # a large object is not kept while the next is made


def _check_explained(kind: ResultKind, study: AnalysedStudy) -> None:
    """Refuse a kind that shows nothing but heat maps where the model has none."""
    reason = study.prediction.model.unexplained
    if reason and kind in NEED_HEAT_MAPS:
        raise InvalidResult(f"the model has no heat maps: {reason}")


def _of_kind(kind: ResultKind, study: AnalysedStudy | RefusedStudy) -> Iterator[Built]:
    maker = KINDS[kind]
    if isinstance(maker, Document):
        summary = study.summary.beside(study.results.named)
        uid = summary.document_uid(kind)
        yield BuiltDocument(kind, 1, maker.write(summary), maker.suffix, uid)
        return
    made: Iterable[Dataset] = ()
    if isinstance(study, AnalysedStudy):
        _check_explained(kind, study)
        made = maker.build(study)
    elif maker.refuse is not None:
        made = maker.refuse(study)
    yield from map(partial(BuiltResult, kind), itertools.count(1), made)
