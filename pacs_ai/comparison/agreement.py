"""How far two versions of a model agree, class by class; with the truth, which one is right."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pacs_ai.domain import Decision
from pacs_ai.statistics.bootstrap import Interval, intervals
from pacs_ai.statistics.metrics import Floats, auc, kappa

RESAMPLES = 1000
_DECISIONS = (Decision.PRESENT, Decision.ABSENT, Decision.UNDETERMINED)


@dataclass(frozen=True, slots=True)
class Case:
    """A study of which both versions say something.

    ``reference`` is that of the log, ``patient`` any text that is the same for all studies of a
    patient. ``first`` and ``second`` have probability and decision by class, ``truth`` has the
    classes that are known.
    """

    study: int
    reference: str
    revision: int
    patient: str
    first: Mapping[str, tuple[float, str]]
    second: Mapping[str, tuple[float, str]]
    truth: Mapping[str, bool] = field(default_factory=dict)

    def changed(self, names: Sequence[str]) -> list[str]:
        """Return the classes on which the versions decide differently."""
        return [name for name in names if self.first[name][1] != self.second[name][1]]

    def difference(self, name: str) -> float:
        """Return the probability of a class by the second version minus that by the first."""
        return self.second[name][0] - self.first[name][0]


def agreement(cases: Sequence[Case], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Compute the figures of each class.

    Parameters
    ----------
    cases
        The studies.
    names
        The classes that both versions have.
    """
    return {name: _of_class(cases, name) for name in names} if cases else {}


def _of_class(cases: Sequence[Case], name: str) -> dict[str, Any]:
    before = np.array([case.first[name][0] for case in cases])
    after = np.array([case.second[name][0] for case in cases])
    moved = Counter((case.first[name][1], case.second[name][1]) for case in cases)
    differences = after - before
    return {
        "studies": len(cases),
        "changed": sum(many for (old, new), many in moved.items() if old != new),
        "moved": {
            f"{old or '-'} to {new or '-'}": many
            for (old, new), many in sorted(moved.items())
            if old != new
        },
        "kappa": _kappa(moved),
        "mean_difference": float(differences.mean()),
        "spread": float(differences.std()),
        "largest": float(np.abs(differences).max()),
        "auc": _auc(cases, name),
    }


def _kappa(moved: Mapping[tuple[str, str], int]) -> float | None:
    """Compute Cohen's kappa of the decisions; None where it is not defined."""
    table = np.zeros((1, len(_DECISIONS), len(_DECISIONS)))
    for (old, new), many in moved.items():
        if old and new:  # a class that is no finding is decided by none
            table[0, _place(old), _place(new)] += many
    value = float(kappa(table)[0]) if table.any() else float("nan")
    return None if np.isnan(value) else value


def _place(decision: str) -> int:
    return _DECISIONS.index(Decision(decision))


def _auc(cases: Sequence[Case], name: str) -> dict[str, dict[str, float | None]]:
    """Compute the AUC of both versions and its difference, with intervals over patients."""
    known = [case for case in cases if name in case.truth]
    truth = np.array([case.truth[name] for case in known], dtype=bool)
    if not truth.any() or truth.all():
        return {}
    scores = [np.array([side[name][0] for side in (c.first, c.second)]) for c in known]
    first, second = np.array(scores).T

    def measure(weights: Floats) -> dict[str, Floats]:
        one, other = auc(first, truth, weights), auc(second, truth, weights)
        return {"first": one, "second": other, "difference": other - one}

    found = intervals(measure, [case.patient for case in known], RESAMPLES)
    return {key: _plain(value) for key, value in found.items()}


def _plain(found: Interval) -> dict[str, float | None]:
    values = {"value": found.value, "low": found.low, "high": found.high}
    return {key: None if np.isnan(value) else value for key, value in values.items()}
