"""Copies of runs in MLflow, as MLflow itself reads them; nothing goes over the network."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.commands import start
from tests.training.quick_run import Command
from tests.training.toys import toy_world
from training.evaluate import evaluate
from training.learn.checkpointing import as_csv
from training.run.run import Run

pytestmark = pytest.mark.train

WITHOUT_NETWORK = """
import socket, sys
from pathlib import Path

def refuse(*words):
    Path(sys.argv[1]).write_text(str(words))
    raise OSError("the network was used")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
from pacs_ai.cli import run
sys.exit(run(sys.argv[2:]))
"""

READ = """
import json, sys
from mlflow.tracking import MlflowClient
client = MlflowClient(tracking_uri=sys.argv[1])
place = client.get_experiment_by_name(sys.argv[2]).experiment_id
print(json.dumps([
    {
        "id": run.info.run_id,
        "name": run.info.run_name,
        "status": run.info.status,
        "params": run.data.params,
        "metrics": run.data.metrics,
        "tags": run.data.tags,
        "epochs": [[m.step, m.value] for m in client.get_metric_history(run.info.run_id, "val_loss")],
        "files": [f.path for f in client.list_artifacts(run.info.run_id, "evaluation")],
    }
    for run in client.search_runs([place])
]))
"""  # noqa: E501 - a program


def python(program: str, *words: object, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        cwd=cwd,
        env={**os.environ, "MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that is evaluated, with a history as training writes it."""
    run, recipe, dataset, network = toy_world(tmp_path_factory.mktemp("world"))
    evaluate(run, recipe, dataset, network)
    rows = [{"phase": 0, "epoch": e, "loss": 1.0 / e, "val_loss": 2.0 / e} for e in (1, 2, 3)]
    run.history.write_text(as_csv(rows))
    return run


def test_mlflow_reads_parameters_epochs_figures_and_files(
    trained: Run, tmp_path: Path, root: Path
) -> None:
    used, store = tmp_path / "network-used", tmp_path / "store"
    copy = (used, "mlflow", trained.folder, "--to", store, "--experiment", "squares", "--json")
    said = json.loads(python(WITHOUT_NETWORK, *copy, cwd=root))
    assert not used.exists(), used.read_text()
    (run,) = json.loads(python(READ, store, "squares", cwd=root))
    assert (run["id"], run["status"]) == (said["runs"][0]["run_id"], "FINISHED")
    assert run["name"] == trained.folder.name
    assert run["epochs"] == [[1, 2.0], [2, 1.0], [3, pytest.approx(2 / 3)]]
    assert run["params"]["network.architecture"] == "small-resnet"
    assert run["params"]["classes"] == '["empty", "bright", "dark"]'
    figures = json.loads((trained.evaluation / "figures.json").read_text())
    auc = figures["units"]["study"]["all"]["overall"]["auc"]
    assert run["metrics"]["test/study/auc"] == pytest.approx(auc["value"])
    assert run["metrics"]["test/study/auc_low"] == pytest.approx(auc["low"])
    assert run["tags"]["pacs_ai.model"] == "toy 1"
    files = {Path(path).name for path in run["files"]}
    assert files == {"figures.json", "calibration.json", "report.html"}
    # the same run again changes nothing; a run that went on takes the place of its copy
    again = json.loads(python(WITHOUT_NETWORK, *copy, cwd=root))
    assert again["runs"][0]["unchanged"] is True
    history = trained.history.read_text()
    trained.history.write_text(history + "0,4,0.2,0.4\n")
    third = json.loads(python(WITHOUT_NETWORK, *copy, cwd=root))
    trained.history.write_text(history)
    (run,) = json.loads(python(READ, store, "squares", cwd=root))
    assert run["id"] == third["runs"][0]["run_id"] != said["runs"][0]["run_id"]
    assert run["epochs"][-1] == [4, 0.4]


def test_a_store_that_cannot_be_is_an_error_of_one_line(trained: Run, root: Path) -> None:
    process = start(root, "mlflow", trained.folder, "--to", "gopher://nowhere")
    err = process.communicate()[1]
    assert process.returncode == 4, err
    assert "MLflow at gopher://nowhere" in err
    assert "Traceback" not in err


def test_the_missing_extra_is_named(
    trained: Run, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "mlflow" else find(name)
    )
    assert "pip install 'pacs-ai[mlflow]'" in command("mlflow", trained.folder, code=2)
