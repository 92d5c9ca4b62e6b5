"""Copies of runs in MLflow, as MLflow itself reads them; nothing goes over the network."""

import importlib.util
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.training.quick_run import Command
from tests.training.toys import toy_world
from training.evaluate import evaluate
from training.learn.checkpointing import as_csv
from training.run.run import Run

pytestmark = pytest.mark.train

SET = ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK", "MLFLOW_ALLOW_FILE_STORE")


@pytest.fixture(autouse=True)
def used(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Refuse the network, and note each try; give the environment back at the end."""
    tries: list[object] = []

    def refuse(*words: object) -> None:
        tries.append(words)
        raise OSError("the network was used")

    for name in SET:
        monkeypatch.setenv(name, "")  # so that it is restored
        monkeypatch.delenv(name)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return tries


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that is evaluated, with a history as training writes it."""
    run, recipe, dataset, network = toy_world(tmp_path_factory.mktemp("world"))
    evaluate(run, recipe, dataset, network)
    rows = [{"phase": 0, "epoch": e, "loss": 1.0 / e, "val_loss": 2.0 / e} for e in (1, 2, 3)]
    run.history.write_text(as_csv(rows))
    return run


def only_run(store: Path, experiment: str) -> tuple[Any, Any]:
    """The only run of an experiment, and a client of MLflow to read more of it."""
    from mlflow.tracking import MlflowClient  # noqa: PLC0415 - after the environment is set

    client = MlflowClient(tracking_uri=str(store))
    place = client.get_experiment_by_name(experiment)
    assert place is not None
    (run,) = client.search_runs([place.experiment_id])
    return run, client


def test_mlflow_reads_parameters_epochs_figures_and_files(
    trained: Run, tmp_path: Path, command: Command, used: list[object]
) -> None:
    store = tmp_path / "store"
    copy = ("mlflow", trained.folder, "--to", store, "--experiment", "squares", "--json")
    (said,) = json.loads(command(*copy))["runs"]
    assert all(os.environ[name] == "true" for name in SET)
    run, client = only_run(store, "squares")
    assert (run.info.run_id, run.info.status) == (said["run_id"], "FINISHED")
    assert run.info.run_name == trained.folder.name
    epochs = client.get_metric_history(run.info.run_id, "val_loss")
    assert [(each.step, each.value) for each in epochs] == [(1, 2), (2, 1), (3, 2 / 3)]
    assert run.data.params["network.architecture"] == "small-resnet"
    assert run.data.params["classes"] == '["empty", "bright", "dark"]'
    figures = json.loads((trained.evaluation / "figures.json").read_text())
    auc = figures["units"]["study"]["all"]["overall"]["auc"]
    assert run.data.metrics["test/study/auc"] == auc["value"]
    assert run.data.metrics["test/study/auc_low"] == auc["low"]
    assert run.data.tags["pacs_ai.model"] == "toy 1"
    files = {Path(each.path).name for each in client.list_artifacts(run.info.run_id, "evaluation")}
    assert files == {"figures.json", "calibration.json", "report.html"}
    # the same run again changes nothing; a run that went on takes the place of its copy
    assert json.loads(command(*copy))["runs"][0]["unchanged"] is True
    with trained.history.open("a") as history:
        history.write("0,4,0.2,0.4\n")
    assert "copied" in command(*copy[:-1])
    later, client = only_run(store, "squares")
    assert later.info.run_id != run.info.run_id
    assert client.get_metric_history(later.info.run_id, "val_loss")[-1].value == 0.4
    assert used == []


def test_a_store_that_cannot_be_is_an_error_of_one_line(trained: Run, command: Command) -> None:
    said = command("mlflow", trained.folder, "--to", "gopher://nowhere", code=4)
    assert "MLflow at gopher://nowhere" in said
    assert said.count("\n") == 1


def test_an_empty_store_is_not_the_default_one(trained: Run, command: Command) -> None:
    assert "--to is empty" in command("mlflow", trained.folder, "--to", "", code=2)


def test_the_missing_extra_is_named(
    trained: Run, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "mlflow" else find(name)
    )
    assert "pip install 'pacs-ai[mlflow]'" in command("mlflow", trained.folder, code=2)
