"""Analyse one study: predict, make the results that are wanted, say what cannot be made."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic

from pacs_ai.analysis.make import ContextOf, Outcome, ResultWriter, T, make_refusals, make_results
from pacs_ai.analysis.predict import PredictedStudy, Source, predict_study
from pacs_ai.domain import ResultKind
from pacs_ai.errors import DataError, InvalidResult
from pacs_ai.model.predict import Classifier
from pacs_ai.results.content.wording import fraction


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is made of a study.

    Parameters
    ----------
    results
        Kinds of results of a study that the model can analyse.
    refusals
        Kinds that say why there are no results, or why one of these kinds is missing. Only those
        of `pacs_ai.domain.REFUSALS` can.
    context_of
        Gives what results state besides the prediction. It is called after the prediction.
    in_reserve
        Kinds that are kept for a peer that refuses the class of another.
    """

    results: Sequence[ResultKind]
    refusals: Sequence[ResultKind]
    context_of: ContextOf
    in_reserve: Sequence[ResultKind] = ()


@dataclass(slots=True)
class Analysis(Generic[T]):
    """What became of a study.

    Parameters
    ----------
    predicted
        What the model says; None if it could not be applied.
    results, refusals
        What was written: the results, and what says why there are none.
    error
        Why the study has no result at all; None if it has one, or if none was wanted.
    stages
        Seconds that each stage took: ``analysed`` to predict, ``encoded`` to make results.
    """

    predicted: PredictedStudy | None = None
    results: Outcome[T] = field(default_factory=Outcome)
    refusals: Outcome[T] = field(default_factory=Outcome)
    error: DataError | None = None
    stages: dict[str, float] = field(default_factory=dict)

    @property
    def images(self) -> int:
        """Number of images that were analysed."""
        return 0 if self.predicted is None else len(self.predicted.prediction.images)

    @property
    def summary(self) -> str:
        """Say what the model says in a line: every class, then the reservations; "" if nothing."""
        if self.predicted is None:
            return ""
        prediction = self.predicted.prediction
        pairs = zip(prediction.model.classes, prediction.probabilities, strict=True)
        classes = ", ".join(f"{spec.name} {fraction(probability)}" for spec, probability in pairs)
        return "; ".join([classes, *(one.text for one in prediction.reservations)])

    @property
    def positive(self) -> bool:
        """Tell whether a finding is present."""
        return self.predicted is not None and bool(self.predicted.prediction.positive_classes())

    @property
    def findings(self) -> list[dict[str, str]]:
        """Say of each class its name, code and scheme, the decision, and the probability."""
        if self.predicted is None:
            return []
        prediction = self.predicted.prediction
        return [
            {
                "name": spec.name,
                "code": spec.code.value,
                "scheme": spec.code.scheme,
                "decision": prediction.decision(index) or "",
                "probability": f"{prediction.probabilities[index]:.4f}",
            }
            for index, spec in enumerate(prediction.model.classes)
        ]


def analyse_study(
    classifier: Classifier,
    sources: Sequence[Source],
    wanted: Wanted,
    writer: ResultWriter[T],
    not_received: int = 0,
) -> Analysis[T]:
    """Classify a study, and make its results one kind after the other.

    Parameters
    ----------
    sources
        All instances of the study.
    writer
        Where results go.
    not_received
        How many more images the source of the study has: the results say so.

    Raises
    ------
    StorageError
        If a file cannot be read or written. The study is not the cause.
    RuntimeFailed
        If the network fails.
    """
    analysis: Analysis[T] = Analysis()
    try:
        with _timed(analysis.stages, "analysed"):
            analysis.predicted = predict_study(classifier, sources, not_received)
        prediction, frames = analysis.predicted.prediction, analysis.predicted.frames
        with _timed(analysis.stages, "encoded"):
            analysis.results = make_results(
                prediction, wanted.results, wanted.context_of, writer, frames, wanted.in_reserve
            )
        if not analysis.results.made:
            analysis.error = next(iter(analysis.results.failed.values()), None)
    except DataError as error:
        analysis.error = error
    if analysis.error is not None or analysis.results.failed:
        reason, kinds = _missing(analysis, wanted)
        analysis.refusals = make_refusals(
            classifier.identity, sources, reason, kinds, wanted.context_of, writer
        )
    return analysis


@contextmanager
def _timed(stages: dict[str, float], stage: str) -> Iterator[None]:
    """Note how long a block takes."""
    begin = time.perf_counter()
    try:
        yield
    finally:
        stages[stage] = round(time.perf_counter() - begin, 3)


def _missing(analysis: Analysis[T], wanted: Wanted) -> tuple[DataError, Sequence[ResultKind]]:
    """Say why results are missing, and which kinds say so in their place."""
    if analysis.error is not None:
        return analysis.error, wanted.refusals
    error = InvalidResult(f"the images were analysed, but {analysis.results.remark}")
    return error, [kind for kind in wanted.refusals if kind in analysis.results.failed]
