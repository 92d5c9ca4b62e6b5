"""The results of a run that its bundle states: all of one network, split and recipe."""

import json
from pathlib import Path
from typing import Any

from training.bundle.parity import Parity
from training.run.checks import require_fit
from training.run.disk import DRAFT
from training.run.provenance import Provenance
from training.run.run import Run

FIGURES, EXPLAINED = "figures.json", "explain.json"


def check_results(run: Run) -> None:
    """Check that the results that a card states are of the network, split and recipe of the run.

    Raises
    ------
    DataError
        Names the result, and the command that makes it again.
    """
    results = {"evaluate": run.evaluation / FIGURES, "explain": run.explain / EXPLAINED}
    for step, path in results.items():
        if path.is_file():
            require_fit(run, step, Provenance.read(_read(path)), str(path))


def bundle_metrics(run: Run, parity: Parity) -> dict[str, Any]:
    """Collect the figures of a run for its bundle, without curves and single errors.

    External tests of another network, split or recipe are left out: ``left_out`` names them.
    """
    found = _read(run.evaluation / FIGURES)
    units = {
        name: {key: unit[key] for key in ("all", "confusion", "subgroups", "baselines")}
        for name, unit in found.get("units", {}).items()
    }
    paths = sorted(run.evaluation.glob(f"*/{FIGURES}"))
    others = {path.parent.name: _read(path) for path in paths if path.parent.suffix != DRAFT}
    now = run.provenance("evaluate")
    fitting = [name for name, each in others.items() if Provenance.read(each) == now]
    explained = _read(run.explain / EXPLAINED)
    return {
        "set": found.get("set"),
        "operating_point": found.get("operating_point"),
        "units": units,
        "prediction_sets": found.get("prediction_sets"),
        "warnings": found.get("warnings", []),
        "agreement": found.get("agreement"),
        "external": {name: others[name].get("drop") for name in fitting},
        "left_out": [name for name in others if name not in fitting],
        "explanation": explained.get("measured"),
        "parity": parity.to_dict(),
        **run.provenance("export").to_dict(),
    }


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return dict(found)
