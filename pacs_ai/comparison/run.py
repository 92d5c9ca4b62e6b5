"""Compare two versions of a model on stored studies, and write the page."""

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pacs_ai import __version__
from pacs_ai.acceptance.truth import read_truth
from pacs_ai.comparison.agreement import Case, agreement
from pacs_ai.comparison.page import ChangedStudy, comparison_page
from pacs_ai.comparison.pairs import Pair, Side, check_comparable, jobs_to_compare, pairs
from pacs_ai.comparison.pictures import Shown, show
from pacs_ai.errors import DataError, PacsAIError
from pacs_ai.feedback_kinds import Label
from pacs_ai.files import atomic_write, translated
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.feedback import training_labels
from pacs_ai.flow.shadow import predict_stored
from pacs_ai.logs import study_ref
from pacs_ai.store.selection import Filter

_REASONS = 20


@dataclass(frozen=True, slots=True)
class Question:
    """What is compared.

    ``studies`` and ``since`` are those of `jobs_to_compare`; ``truth`` is a table as for an
    acceptance test; without it, feedback says what is true. ``pictures`` is how many studies with
    changed decisions are shown.
    """

    first: str
    second: str
    studies: Sequence[str] = ()
    since: datetime | None = None
    truth: Path | None = None
    pictures: int = 20
    threads: int = 1


@dataclass(slots=True)
class _Seen:
    """What was seen of the studies so far. Of each study a few numbers are kept."""

    cases: list[Case] = field(default_factory=list)
    silent: Counter[str] = field(default_factory=Counter)
    replayed: int = 0


def compare(
    context: FlowContext, question: Question, progress: Callable[[int, int], None]
) -> tuple[dict[str, Any], str]:
    """Compare the versions; a study that both have analysed before is not analysed again.

    Predictions that are made are kept, so that the same command goes on after an interruption.

    Parameters
    ----------
    context
        The node.
    question
        What is compared.
    progress
        Called after each study with how many are done, and how many there are.

    Returns
    -------
    values
        The figures.
    page
        HTML with the figures, and the pictures of studies with changed decisions.

    Raises
    ------
    BundleInvalid
        If a bundle is not there, or not in order.
    DataError
        If no study can be compared, or the table of truth cannot be used.
    StateError
        If the bundles cannot be compared, or a study is not there.
    """
    config, threads = context.config, question.threads
    sides = (Side(config, question.first, threads), Side(config, question.second, threads))
    names = check_comparable(sides[0].bundle, sides[1].bundle)
    models = {side.model for side in sides if side.model}
    jobs = jobs_to_compare(context, models, question.studies, question.since)
    truths = _truths(context, question, sides[0])
    seen = _Seen()
    for number, pair in enumerate(pairs(context, sides, jobs), start=1):
        _count(seen, pair, truths)
        progress(number, len(jobs))
    if not seen.cases:
        why = next(iter(seen.silent), "no study with a job of these models is stored")
        raise DataError(f"no study can be compared: {why}")
    values = _values(sides, seen, names)
    changed = _changed(seen.cases, names, question.pictures)
    return values, comparison_page(values, _drawn(context, sides, changed, names))


def write(page: str, file: Path) -> None:
    """Write the page.

    Raises
    ------
    StorageError
        If it cannot be written.
    """
    with translated(file.parent, "cannot be written"):
        file.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(file, page.encode())


def _count(seen: _Seen, pair: Pair, truths: Mapping[str, Mapping[str, bool]]) -> None:
    first, second = pair.said
    seen.replayed += (not first.kept) or (not second.kept)
    for which, said in enumerate(pair.said, start=1):
        if said.reason:
            seen.silent[f"version {which}: {said.reason}"] += 1
    if first.classes and second.classes:
        study = pair.study
        known = truths.get(study.study_instance_uid) or truths.get(study.accession_key, {})
        patient = study.patient_key
        seen.cases.append(
            Case(
                study.id,
                study_ref(study.study_instance_uid),
                pair.revision,
                patient,
                first.classes,
                second.classes,
                known,
            )
        )


def _truths(context: FlowContext, question: Question, side: Side) -> dict[str, Mapping[str, bool]]:
    """Read what is true of studies, by Study Instance UID or by the hash of the accession number.

    Without a table that is what users have said of the results.

    Raises
    ------
    DataError
        If a row names its study in another way.
    """
    if question.truth is None:
        return _by_feedback(context)
    model = side.bundle.identity
    names = [one.name for one in model.classes]
    found: dict[str, Mapping[str, bool]] = {}
    for row in read_truth(question.truth, model):
        if row.key == "path":
            raise DataError(
                f"{question.truth}, line {row.line}: a stored study has no path; name its"
                " study_instance_uid or accession"
            )
        key = context.accession_key(row.value) if row.key == "accession" else row.value
        found[key] = dict(zip(names, row.truth, strict=True))
    return found


def _by_feedback(context: FlowContext) -> dict[str, Mapping[str, bool]]:
    return {
        study.study_instance_uid: {
            name: label is Label.PRESENT
            for name, label in study.labels.items()
            if label is not Label.UNCERTAIN
        }
        for study in training_labels(context, Filter()).studies
    }


def _values(sides: tuple[Side, Side], seen: _Seen, names: Sequence[str]) -> dict[str, Any]:
    return {
        "pacs_ai": __version__,
        "versions": [
            {"name": side.name, "manifest_sha256": side.bundle.manifest_sha256} for side in sides
        ],
        "studies": len(seen.cases),
        "changed": sum(bool(case.changed(names)) for case in seen.cases),
        "replayed": seen.replayed,
        "with_truth": sum(bool(case.truth) for case in seen.cases),
        "classes": agreement(seen.cases, names),
        "not_compared": dict(seen.silent.most_common(_REASONS)),
    }


def _changed(cases: Sequence[Case], names: Sequence[str], most: int) -> list[Case]:
    """Return the studies with changed decisions whose probabilities differ most."""
    changed = [case for case in cases if case.changed(names)]
    return heapq.nlargest(most, changed, key=lambda case: _farthest(case, names)[1])


def _farthest(case: Case, names: Sequence[str]) -> tuple[str, float]:
    """Return the class with a changed decision that differs most, and by how much."""
    farthest = max(case.changed(names), key=lambda name: abs(case.difference(name)))
    return farthest, abs(case.difference(farthest))


def _drawn(
    context: FlowContext, sides: tuple[Side, Side], cases: Sequence[Case], names: Sequence[str]
) -> Iterator[ChangedStudy]:
    """Predict studies again, one at a time, and draw what each version looked at."""
    for case in cases:
        name = _farthest(case, names)[0]
        shown: Shown | None = None
        reason = ""
        try:
            predicted = [
                predict_stored(context, side.classifier, case.study, case.revision)
                for side in sides
            ]
            shown = show(predicted, name)
        except PacsAIError as error:
            reason = error.message
        said = {each: (case.first[each], case.second[each]) for each in names}
        yield ChangedStudy(case.study, case.reference, name, said, shown, reason)
