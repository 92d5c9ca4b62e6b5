"""From a prediction, or the reason why there is none, to results that are written.

Results are made kind by kind: a kind that cannot be made does not stop the others.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

from pacs_ai.analysis.kept_frames import KeptFrames
from pacs_ai.analysis.predict import Source, open_sources
from pacs_ai.dicom.validate import check_dataset
from pacs_ai.domain import REFUSALS, ModelIdentity, ResultKind, StudyPrediction
from pacs_ai.errors import DataError, InvalidResult, PacsAIError, StorageError
from pacs_ai.refusal import Refusal
from pacs_ai.results.build import (
    Built,
    BuiltResult,
    build_refusals,
    build_results,
    in_order,
    results_of,
)
from pacs_ai.results.common.context import ResultContext, own_result
from pacs_ai.results.common.evidence import Evidence, evidence_of
from pacs_ai.results.common.result_set import ROOT, ResultSet
from pacs_ai.results.kinds import SHOWN_BY_PICTURES

T = TypeVar("T")

ContextOf = Callable[[Evidence], ResultContext]
"""Gives what the results about some instances state besides: who made them, and when."""


class ResultWriter(Protocol[T]):
    """Where finished results go."""

    def write(self, result: Built) -> T:
        """Store a result; returns what names it from now on."""

    def remove(self, written: T) -> None:
        """Remove a result again, because another one of its kind failed."""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What was written, and which kinds could not be made, with the reason; what is in reserve."""

    made: list[T] = field(default_factory=list)
    failed: dict[ResultKind, DataError] = field(default_factory=dict)
    reserve: list[T] = field(default_factory=list)

    @property
    def code(self) -> str:
        """Code of the first error; "" if there is none."""
        return next((error.code for error in self.failed.values()), "")

    @property
    def reasons(self) -> dict[str, str]:
        """Codes and messages, by the names of the kinds."""
        return {str(kind): f"{e.code}: {e.message}" for kind, e in self.failed.items()}

    @property
    def remark(self) -> str:
        """Say which kinds are missing and why; "" if none is."""
        return "; ".join(f"{kind} not made: {error.message}" for kind, error in self.failed.items())


def make_results(
    prediction: StudyPrediction,
    kinds: Sequence[ResultKind],
    context_of: ContextOf,
    writer: ResultWriter[T],
    frames: KeptFrames | None = None,
    in_reserve: Sequence[ResultKind] = (),
) -> Outcome[T]:
    """Make, check and write the results of a study.

    Parameters
    ----------
    in_reserve
        Further kinds, in the place of maps and segmentations, if there are any; the others do not
        refer to them. That one of them cannot be made is no failure.
    frames
        Decoded images of the study; those that are not among them are decoded when drawn.

    Raises
    ------
    NotDicom
        If the source of all results cannot be read any more.
    StorageError
        If a file or the writer fails; nothing that was written stays.
    """
    evidence = evidence_of(prediction)
    context = context_of(evidence)
    grey = (frames or KeptFrames(prediction.model)).shown
    results = results_of(prediction, kinds, context, evidence)

    def build(kind: ResultKind) -> Iterable[Built]:
        of = reserve if kind in in_reserve else results
        return build_results(prediction, [kind], context, grey, evidence, of)

    outcome = _each_kind(kinds, build, results, writer)
    reserve = results_of(prediction, [*kinds, *in_reserve], context, evidence)
    shown = set(kinds).intersection(SHOWN_BY_PICTURES).difference(outcome.failed)
    if shown and in_reserve:
        try:
            outcome.reserve.extend(_each_kind(in_reserve, build, reserve, writer).made)
        except StorageError:
            _remove(outcome.made, 0, writer)
            raise
    return outcome


def make_refusals(
    model: ModelIdentity,
    sources: Sequence[Source],
    error: DataError,
    kinds: Sequence[ResultKind],
    context_of: ContextOf,
    writer: ResultWriter[T],
) -> Outcome[T]:
    """Make, check and write what says why a study has no results.

    Parameters
    ----------
    error
        The reason.
    kinds
        What is wanted; those that are not among `REFUSALS` are left out.

    Returns
    -------
    Outcome
        Empty if no instance can be read: nobody knows whose study it is. That a refusal cannot be
        made is told in ``failed`` and not raised: it must not hide the reason.

    Raises
    ------
    StorageError
        If a file or the writer fails; nothing that was written stays.
    """
    kinds = [kind for kind in kinds if kind in REFUSALS]
    refusal = refusal_of(model, sources, error) if kinds else None
    if refusal is None:
        return Outcome()
    try:
        evidence = evidence_of(refusal)
        context = replace(context_of(evidence), prior=None, prior_missing="")
    except DataError as unread:
        return Outcome([], dict.fromkeys(kinds, unread))

    results = results_of(refusal, kinds, context, evidence)

    def build(kind: ResultKind) -> Iterable[Built]:
        return build_refusals(refusal, [kind], context, evidence, results)

    return _each_kind(kinds, build, results, writer)


def refusal_of(model: ModelIdentity, sources: Sequence[Source], error: DataError) -> Refusal | None:
    """Say why a study was not analysable; None if no instance of it can be read.

    Results of ours do not count: nobody reports on a report.
    """
    headers = tuple(
        header
        for header in open_sources(sources).headers
        if not own_result(header.manufacturer, header.model_name)
    )
    return Refusal(model, headers, error.code, error.message) if headers else None


def _each_kind(
    kinds: Sequence[ResultKind],
    build: Callable[[ResultKind], Iterable[Built]],
    results: ResultSet,
    writer: ResultWriter[T],
) -> Outcome[T]:
    """Make, check and write the results of each kind, either all of them or none.

    What the report refers to is what was written; see `in_order`.
    """
    outcome: Outcome[T] = Outcome()
    for kind in in_order(kinds):
        before, referable = len(outcome.made), len(results.made)
        try:
            for result in build(kind):
                _check(result)
                outcome.made.append(writer.write(result))
                del result  # a large object is not kept while the next is made
        except StorageError:
            _remove(outcome.made, 0, writer)
            raise
        except Exception as error:  # noqa: BLE001 - whatever a library throws, the others are made
            _remove(outcome.made, before, writer)
            del results.made[referable:]
            results.failed.append(kind)
            outcome.failed[kind] = _reason(kind, error)
        if kind is ROOT:
            _bring_forward(outcome, before)
    return outcome


def _bring_forward(outcome: Outcome[T], first: int) -> None:
    """Bring the report, which was made last, to the beginning: it counts most."""
    outcome.made[:] = [*outcome.made[first:], *outcome.made[:first]]
    for kind in [kind for kind in outcome.failed if kind is not ROOT]:
        outcome.failed[kind] = outcome.failed.pop(kind)


def _check(result: Built) -> None:
    """Check an object against the standard; the error names attributes, and no values.

    Raises
    ------
    InvalidResult
        If the object breaks a rule of the standard.
    """
    problems = check_dataset(result.dataset) if isinstance(result, BuiltResult) else ()
    if problems:
        raise InvalidResult(f"{result.kind} {result.number}: {problems[0]}")


def _remove(made: list[T], first: int, writer: ResultWriter[T]) -> None:
    for one in made[first:]:
        writer.remove(one)
    del made[first:]


def _reason(kind: ResultKind, error: Exception) -> DataError:
    if isinstance(error, DataError):
        return error
    if isinstance(error, PacsAIError):
        return InvalidResult(error.message)
    return InvalidResult(f"the {kind} cannot be made (unexpected {type(error).__name__})")
