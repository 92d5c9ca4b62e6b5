"""Copy runs into an MLflow store: parameters, metrics of each epoch, figures, and files.

A store is a folder here unless a URI names another one. MLflow itself would report its use to its
makers; that is switched off before it is loaded, so nothing is sent that the URI does not ask for.
"""

import csv
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pacs_ai.errors import DataError
from training.run.run import RECIPE, STATE, Run

EXPERIMENT = "pacs-ai"
STORE = Path("mlruns")
_FIGURES = "evaluation/figures.json"
_RUN, _STATE_OF, _NAME = "pacs_ai.run", "pacs_ai.state", "mlflow.runName"
_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
_FOLDERS_ALLOWED = "MLFLOW_ALLOW_FILE_STORE"
_FILES = (
    RECIPE,
    STATE,
    "log.txt",
    "history.csv",
    "plots",
    _FIGURES,
    "evaluation/calibration.json",
    "evaluation/report.html",
    "explain/explain.json",
    "explain/explain.html",
    "bundle",
)
"""What is copied. Tables that name single images (split.csv, images.csv, studies.csv) are not."""

_MOST_AT_ONCE, _LONGEST = 500, 6000  # limits of MLflow


@dataclass(frozen=True, slots=True)
class Copied:
    """A run in MLflow: its identifiers there, and whether it was there already, unchanged."""

    run: str
    experiment_id: str
    run_id: str
    unchanged: bool


def copy_to_mlflow(run: Run, uri: str, experiment: str) -> Copied:
    """Copy a run into an MLflow store; an older copy that differs is replaced.

    Parameters
    ----------
    run
        The run, finished or not. Folds of a cross-validation are copied into the same run.
    uri
        A folder, or any tracking URI of MLflow.
    experiment
        The name of the experiment, created if it does not exist.

    Raises
    ------
    DataError
        If MLflow refuses the store or the run; has its reason.
    """
    os.environ.update(_QUIET)
    if "://" not in uri or uri.startswith("file:"):
        os.environ[_FOLDERS_ALLOWED] = "true"
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - of the extra mlflow
    from mlflow.tracking import MlflowClient  # noqa: PLC0415

    try:
        return _copy(MlflowClient(tracking_uri=uri, registry_uri=uri), run, experiment)
    except MlflowException as error:
        raise DataError(f"MLflow at {uri}: {error.message.splitlines()[0]}") from error


def _copy(client: Any, run: Run, experiment: str) -> Copied:  # noqa: ANN401 - of MLflow
    found = client.get_experiment_by_name(experiment)
    place = found.experiment_id if found else client.create_experiment(experiment)
    key, state = _digest(str(run.report()["started"]), run.folder.name), _state_of(run)
    older = client.search_runs([place], f"tags.`{_RUN}` = '{key}'")
    for each in older:
        if each.data.tags.get(_STATE_OF) == state:
            return Copied(str(run.folder), place, each.info.run_id, unchanged=True)
    started = int(datetime.fromisoformat(str(run.report()["started"])).timestamp() * 1000)
    made = client.create_run(place, start_time=started, tags={**_tags(run), _RUN: key})
    identifier: str = made.info.run_id
    _log(client, identifier, run, started)
    # the state comes last: a copy that was stopped half way is replaced by the next one
    client.set_tag(identifier, _STATE_OF, state)
    client.set_terminated(identifier, "FINISHED", started)
    for each in older:
        client.delete_run(each.info.run_id)
    return Copied(str(run.folder), place, identifier, unchanged=False)


def _log(client: Any, identifier: str, run: Run, at: int) -> None:  # noqa: ANN401 - of MLflow
    from mlflow.entities import Metric, Param  # noqa: PLC0415 - of the extra mlflow

    params = [Param(key, value) for key, value in parameters(run).items()]
    measured = [Metric(key, value, at, step) for key, value, step in metrics(run)]
    for start in range(0, len(params), 100):
        client.log_batch(identifier, params=params[start : start + 100])
    for start in range(0, len(measured), _MOST_AT_ONCE):
        client.log_batch(identifier, metrics=measured[start : start + _MOST_AT_ONCE])
    for name in _FILES:
        path = run.folder / name
        inside = str(Path(name).parent) if path.is_file() and "/" in name else None
        if path.is_dir():
            client.log_artifacts(identifier, str(path), name)
        elif path.is_file():
            client.log_artifact(identifier, str(path), inside)


def parameters(run: Run) -> dict[str, str]:
    """Return the keys of the recipe with their values as text; texts of the card are left out."""
    values = run.recipe.model_dump(mode="json", exclude_none=True, exclude={"card", "classes"})
    named = dict(_flat("", values))
    named["classes"] = json.dumps([entry.name for entry in run.recipe.classes])
    return {key: text[:_LONGEST] for key, text in named.items()}


def _flat(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{key}.", value)
        else:
            yield prefix + key, value if isinstance(value, str) else json.dumps(value)


def metrics(run: Run) -> Iterator[tuple[str, float, int]]:
    """Give name, value and step: the history of the run and of its folds, and the test figures."""
    for history in (run.history, *sorted(run.folder.glob(f"fold-*/{run.history.name}"))):
        prefix = "" if history == run.history else f"{history.parent.name}/"
        for key, value, step in _history(history):
            yield prefix + key, value, step
    path = run.folder / _FIGURES
    if path.is_file():
        units = json.loads(path.read_text(encoding="utf-8"))["units"]
        for unit, found in units.items():
            for name, figure in found["all"]["overall"].items():
                for end in ("value", "low", "high"):
                    if figure[end] is not None:
                        suffix = "" if end == "value" else f"_{end}"
                        yield f"test/{unit}/{name}{suffix}", figure[end], 0


def _history(path: Path) -> Iterator[tuple[str, float, int]]:
    """Give the values of each epoch; epochs of fine-tuning are counted on."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8", newline="") as file:
        for step, row in enumerate(csv.DictReader(file), 1):
            for key, text in row.items():
                if text:
                    yield key, float(text), step


def _tags(run: Run) -> dict[str, str]:
    made_from = run.provenance("export")
    versions = run.report()["versions"]
    assert isinstance(versions, Mapping)  # noqa: S101 - `create` wrote it so
    return {
        _NAME: run.folder.name,
        "pacs_ai.version": str(versions.get("pacs-ai", "")),
        "pacs_ai.weights": made_from.weights,
        "pacs_ai.split": made_from.split,
        "pacs_ai.model": f"{run.recipe.release.name} {run.recipe.release.version}",
    }


def _state_of(run: Run) -> str:
    """Return a hash of what is copied, but for pictures and pages, which follow from the rest."""
    texts = (RECIPE, STATE, "history.csv", _FIGURES, "bundle/model.toml")
    paths = [run.folder / name for name in texts]
    return _digest(*(path.read_text(encoding="utf-8") if path.is_file() else "" for path in paths))


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
