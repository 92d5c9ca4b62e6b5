"""The same test cases of several runs: read, checked, and brought into one order."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from pacs_ai.errors import DataError
from pacs_ai.statistics.cases import Cases, Question
from training.evaluate.cases import Scores
from training.evaluate.internal import TEST_SCORES
from training.evaluate.publish import FIGURES, calibration_of, question_of
from training.evaluate.results import IMAGE, cases_of, units_of
from training.run.checks import require_fit
from training.run.provenance import Provenance
from training.run.run import Run
from training.statistics.calibration import Calibration

Key = tuple[str, int]
"""The key of a case, and which of several cases with this key it is: parts of one image."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A run with its evaluation: of its test split, of its folds, or of other data."""

    run: Run
    question: Question
    calibration: Calibration
    scores: Scores
    figures: Mapping[str, Any]

    @classmethod
    def of(cls, run: Run, data: str | None) -> Self:
        """Read the evaluation of a run.

        Parameters
        ----------
        run
            The run.
        data
            The name of other data; None for its own test split, or its out-of-fold predictions.

        Raises
        ------
        DataError
            If it is not evaluated on them, or was with another network, split or recipe.
        """
        calibration = calibration_of(run)
        folder = run.evaluation if data is None else run.evaluation / data
        try:
            figures = json.loads((folder / FIGURES).read_text(encoding="utf-8"))
            scores = Scores.load(folder / TEST_SCORES)
        except (OSError, ValueError) as error:
            raise DataError(f"{run.folder} is not evaluated on {data}: {_command(run)}") from error
        require_fit(run, "evaluate", Provenance.read(figures), f"the evaluation {folder}")
        return cls(run, question_of(run.recipe), calibration, scores, figures)

    @property
    def name(self) -> Path:
        """The folder of the run, as it was named."""
        return self.run.folder


def _command(run: Run) -> str:
    return f"pacs-ai evaluate {run.folder} --data OTHER"


def align(runs: Sequence[Evaluated]) -> dict[str, list[Cases]]:
    """Make the cases of runs, in the order of the first run.

    Parameters
    ----------
    runs
        At least one.

    Returns
    -------
    dict
        For each unit that all runs have (``image``, ``study``) the cases of each run.

    Raises
    ------
    DataError
        If the classes, the cases, or their labels or patients are not the same; says what differs.
    """
    found: dict[str, list[Cases]] = {}
    for run in runs[1:]:
        if run.question.classes != runs[0].question.classes:
            raise DataError(
                f"the classes differ: {runs[0].name} has {', '.join(runs[0].question.classes)}; "
                f"{run.name} has {', '.join(run.question.classes)}"
            )
    for unit in units_of(runs[0].scores):
        if all(unit in units_of(run.scores) for run in runs):
            each = [cases_of(unit, run.scores, run.question, run.calibration) for run in runs]
            found[unit] = [each[0], *_ordered(unit, runs, each)]
    return found


def _ordered(unit: str, runs: Sequence[Evaluated], each: Sequence[Cases]) -> Iterator[Cases]:
    """Bring the cases of all runs but the first into the order of the first."""
    wanted = _keys(each[0])
    for run, cases in zip(runs[1:], each[1:], strict=True):
        place = {key: index for index, key in enumerate(_keys(cases))}
        names = f"{runs[0].name} and {run.name}"
        _refuse_other_cases(unit, names, set(wanted), set(place))
        picked = cases.pick(np.array([place[key] for key in wanted], dtype=np.int64))
        _refuse_other_labels(unit, names, each[0], picked)
        yield picked


def _keys(cases: Cases) -> list[Key]:
    seen: Counter[str] = Counter()
    keys = []
    for key in cases.keys:
        keys.append((key, seen[key]))
        seen[key] += 1
    return keys


def _refuse_other_cases(unit: str, names: str, first: set[Key], second: set[Key]) -> None:
    only = [sorted(first - second), sorted(second - first)]
    if not any(only):
        return
    told = " and ".join(
        f"{len(keys)} of the {place} only{_first([key for key, _ in keys])}"
        for keys, place in zip(only, ("first", "second"), strict=True)
        if keys
    )
    moved = (
        " Pictures are known by their path: both runs have to read them from the same folder."
        if unit == IMAGE and not first & second
        else ""
    )
    raise DataError(f"the test cases of {names} differ, by {unit}: {told}.{moved}")


def _refuse_other_labels(unit: str, names: str, first: Cases, second: Cases) -> None:
    labels = (first.truth != second.truth).any(axis=1)
    if first.commonest is not None and second.commonest is not None:
        labels |= first.commonest != second.commonest
    patients = np.array(first.patients) != np.array(second.patients)
    for what, other in (("labels", labels), ("patients", patients)):
        if other.any():
            keys = [first.keys[index] for index in np.flatnonzero(other)]
            raise DataError(
                f"the {what} of {names} differ, by {unit}: {len(keys)} of {len(first.keys)} cases"
                f"{_first(keys)}"
            )


def _first(keys: Sequence[str]) -> str:
    return f" (the first: {keys[0]})" if keys else ""
