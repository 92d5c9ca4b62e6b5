"""Compare runs on the same test cases, in pairs: each run with the first.

All figures come from the same draws of patients, so that a difference is computed draw by draw.
The AUC of each class is compared by DeLong as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pacs_ai.statistics.bootstrap import Interval, interval
from pacs_ai.statistics.cases import Cases
from pacs_ai.statistics.figures import OVERALL, draw_figures
from pacs_ai.statistics.metrics import Floats
from training.evaluate.results import IMAGE, STUDY, jsonable
from training.evaluate.same_cases import Evaluated, align
from training.run.run import Run
from training.statistics.delong import AucDifference, delong

FIGURES_COMPARED = ("auc", "accuracy", "f1")
IN_TABLE = (*FIGURES_COMPARED, "calibration_error")
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The cases of a run with their figures, for all cases and for each draw of patients."""

    cases: Cases
    figures: Mapping[str, Floats]


def compare(runs: Sequence[Run], data: str | None = None) -> dict[str, Any]:
    """Compare evaluated runs.

    Parameters
    ----------
    runs
        At least two; each other one is compared with the first, by whose ``[evaluation]`` patients
        are drawn.
    data
        The name of other data that all runs were evaluated on. None compares the test splits, or
        the out-of-fold predictions of runs with folds.

    Returns
    -------
    dict
        Values for JSON. ``runs`` has a row for each run, that with the highest AUC first;
        ``comparisons`` has the differences (run minus ``reference``) by unit.

    Raises
    ------
    DataError
        If a run is not evaluated, its evaluation does not fit it, or the test cases differ.
    """
    read = [Evaluated.of(run, data) for run in runs]
    config = read[0].run.recipe.evaluation
    drawn = {
        unit: [_Drawn(cases, draw_figures(cases, config)) for cases in each]
        for unit, each in align(read).items()
    }
    rows = [_row(each) for each in read]
    return {
        "data": data or "test",
        "reference": str(read[0].name),
        "resamples": config.resamples,
        "runs": sorted(rows, key=lambda row: -(row["auc"] if row["auc"] is not None else -1.0)),
        "comparisons": [
            {
                "run": str(read[place].name),
                "units": {
                    unit: _compare_unit(each[0], each[place]) for unit, each in drawn.items()
                },
            }
            for place in range(1, len(read))
        ],
    }


def _row(each: Evaluated) -> dict[str, Any]:
    """Describe a run in one row; its figures are those of studies, if studies were evaluated."""
    run, units = each.run, each.figures["units"]
    unit = STUDY if STUDY in units else IMAGE
    overall = units[unit]["all"]["overall"]
    own = [run.best] if run.best.is_file() else []
    weights = own or sorted(run.folder.glob(f"fold-*/{run.best.name}"))
    return {
        "run": str(each.name),
        "recipe": f"{run.recipe.release.name} {run.recipe.release.version}",
        "backbone": run.recipe.network.architecture,
        "images": each.figures["set"]["images"],
        "unit": unit,
        **{name: overall[name]["value"] for name in IN_TABLE},
        "mebibytes": round(sum(path.stat().st_size for path in weights) / _MIB, 2),
        "date": str(run.report()["started"])[:10],
    }


def _compare_unit(reference: _Drawn, other: _Drawn) -> dict[str, Any]:
    cases = reference.cases
    patients = len(set(cases.patients))
    return {
        "cases": len(cases.keys),
        "patients": patients,
        "figures": {
            name: _paired(reference, other, f"{OVERALL}/{name}", certain=patients > 1)
            for name in FIGURES_COMPARED
        },
        "auc_by_class": {
            name: _by_delong(
                delong(
                    cases.probabilities[:, k].astype(np.float64),
                    other.cases.probabilities[:, k].astype(np.float64),
                    cases.truth[:, k],
                    cases.patients,
                )
            )
            for k, name in enumerate(cases.question.classes)
        },
    }


def _paired(reference: _Drawn, other: _Drawn, key: str, *, certain: bool) -> dict[str, Any]:
    """Return a figure of both runs, and the difference with its interval."""
    one, two = reference.figures[key], other.figures[key]
    gain = interval(two - one)
    if not certain:  # all draws of one patient are the same: no width is no certainty
        gain = Interval(gain.value, float("nan"), float("nan"))
    return {
        "reference": jsonable(one[0]),
        "run": jsonable(two[0]),
        "difference": jsonable(gain),
        "covers_0": covers_zero(gain.low, gain.high),
    }


def _by_delong(found: AucDifference) -> dict[str, Any]:
    return {
        "reference": jsonable(found.reference),
        "run": jsonable(found.other),
        "difference": jsonable(Interval(found.difference, found.low, found.high)),
        "error": jsonable(found.error),
        "p": jsonable(found.p),
        "covers_0": covers_zero(found.low, found.high),
    }


def covers_zero(low: float, high: float) -> bool | None:
    """Tell whether an interval covers 0; None if it is not defined."""
    return None if np.isnan(low) or np.isnan(high) else bool(low <= 0 <= high)
