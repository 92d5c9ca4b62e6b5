"""A result is bound to what made it: each step refuses or repeats what does not fit."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pacs_ai.model.bundle import load_bundle
from tests.training.quick_run import Command, copy_of, edit, pictures
from training.run.checks import changes
from training.run.provenance import KEY, STEPS
from training.run.run import Run

pytestmark = pytest.mark.train


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    return copy_of(finished_run, tmp_path)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def replace_weights(path: Path) -> None:
    """Put another network of the same form in the place of one."""
    with np.load(path) as arrays:
        values = [arrays[f"arr_{index}"] * 0.9 for index in range(len(arrays.files))]
    np.savez(path, *values)


def fine_tune_at_once(run: Path) -> None:
    """Give a run another network, as fine-tuning does."""
    replace_weights(run / "best.weights.npz")
    opened = Run.open(run)
    opened.finish("finetune", opened.summary("finetune"), 0.0)


def stopped(_: object) -> None:
    """Be stopped by Ctrl-C."""
    raise KeyboardInterrupt


def resume(run: Path) -> tuple[object, ...]:
    return ("train", run / "recipe.toml", "--out", run, "--resume")


def test_every_result_carries_the_hashes_of_what_made_it(finished_run: Path) -> None:
    weights = sha256(finished_run / "best.weights.npz")
    names = ("evaluation/calibration.json", "evaluation/figures.json", "explain/explain.json")
    for name in (*names, "parity.json", "bundle/metrics.json"):
        record = json.loads((finished_run / name).read_text())[KEY]
        assert record["weights"] == weights, name
        assert {"optimisation", "finetune", "evaluation"} <= set(record["recipe"]), name
    pages = ("evaluation/report.html", "explain/explain.html", "bundle/MODEL_CARD.md")
    for name in pages:
        assert weights in (finished_run / name).read_text(encoding="utf-8"), name
    assert sha256(finished_run / "bundle" / "weights.npz") == weights
    opened = Run.open(finished_run)
    assert all(opened.recorded(step) is not None for step in STEPS)
    assert not any(changes(opened, step) for step in STEPS)


def test_finetune_then_export_ships_nothing_of_the_old_network(run: Path, command: Command) -> None:
    bundle = sha256(run / "bundle" / "model.toml")
    command("finetune", run, "--epochs", 2)
    assert Run.open(run).summary("finetune")["epochs"] == 2
    replaced = json.loads((run / "evaluation" / "calibration.json").read_text())[KEY]
    for step in ("explain", "export"):
        said = command(step, run, code=4)
        assert f"pacs-ai evaluate {run}" in said, step
    assert sha256(run / "bundle" / "model.toml") == bundle
    command("evaluate", run)
    assert f"pacs-ai explain {run}" in command("export", run, code=4)
    assert f"pacs-ai export {run}" in command("quantise", run / "bundle", code=4)
    command("explain", run)
    command("export", run)
    record = json.loads((run / "bundle" / "metrics.json").read_text())[KEY]
    assert record["weights"] == sha256(run / "best.weights.npz")
    assert record["recipe"]["finetune"] != replaced["recipe"]["finetune"]
    load_bundle(run / "bundle")


def test_weights_replaced_by_hand_are_refused(run: Path, command: Command) -> None:
    replace_weights(run / "best.weights.npz")
    for words in (
        ("evaluate", run),
        ("explain", run),
        ("export", run),
        ("quantise", run / "bundle"),
    ):
        assert "the weights" in command(*words, code=4), words
    replace_weights(run / "trained.weights.npz")  # from which --resume would fine-tune again
    assert "neither" in command(*resume(run), code=4)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("seed = 1", "seed = 2", "[optimisation]"),
        ("stages = [", "dropout = 0.5\nstages = [", "[network]"),
        ('leakage = "report"', 'leakage = "drop"', "[split]"),
    ],
)
def test_a_recipe_that_was_edited_after_training_is_refused(
    run: Path, command: Command, old: str, new: str, named: str
) -> None:
    if named == "[network]":
        edit(run / "recipe.toml", "dropout = 0.0\n", "")
    edit(run / "recipe.toml", old, new)
    for words in (("evaluate", run), ("finetune", run), ("export", run), resume(run)):
        said = command(*words, code=4)
        assert named in said, words
        assert "--out" in said, words


def test_resume_repeats_only_what_was_edited(run: Path, command: Command) -> None:
    weights, figures = sha256(run / "best.weights.npz"), sha256(run / "evaluation" / "figures.json")
    edit(run / "recipe.toml", 'intended_use = ""', 'intended_use = "To try it."')
    command(*resume(run))
    assert "To try it." in (run / "bundle" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert sha256(run / "evaluation" / "figures.json") == figures
    edit(run / "recipe.toml", 'operating_point = "youden"', 'operating_point = "sensitivity"')
    edit(run / "recipe.toml", "[evaluation]\n", "[evaluation]\ntarget = 0.9\n")
    assert f"pacs-ai evaluate {run}" in command("export", run, code=4)
    command(*resume(run))
    log = (run / "log.txt").read_text(encoding="utf-8")
    assert "evaluate: done again, because of [evaluation] of the recipe" in log
    assert log.count("train: done in") == 1
    assert sha256(run / "best.weights.npz") == weights
    assert json.loads((run / "bundle" / "metrics.json").read_text())["operating_point"]["target"]


def test_an_edited_fine_tuning_is_done_again_from_the_trained_network(
    run: Path, command: Command
) -> None:
    trained = sha256(run / "trained.weights.npz")
    edit(
        run / "recipe.toml",
        "learning_rate = 0.001\nschedule",
        "learning_rate = 0.002\nschedule",
    )
    assert f"pacs-ai finetune {run}" in command("evaluate", run, code=4)
    command(*resume(run), "--until", "finetune")
    assert sha256(run / "trained.weights.npz") == trained
    assert not changes(Run.open(run), "finetune")


def test_a_stopped_evaluation_is_not_used(
    run: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    fine_tune_at_once(run)
    with monkeypatch.context() as broken:
        broken.setattr("training.evaluate.publish.write_report", stopped)
        command("evaluate", run, code=130)
    assert f"pacs-ai evaluate {run}" in command("export", run, code=4)


def test_a_checkpoint_of_another_recipe_is_not_resumed(
    finished_run: Path, tmp_path: Path, command: Command
) -> None:
    run = Run.open(copy_of(finished_run, tmp_path))
    run.begin("train")
    run.checkpoint("train").write_bytes(b"a state")
    edit(run.folder / "recipe.toml", "seed = 1", "seed = 2")
    assert "[optimisation]" in command(*resume(run.folder), code=4)
    assert "was stopped" in command("evaluate", run.folder, code=4)


def test_data_may_lie_elsewhere_but_their_split_is_bound(run: Path, command: Command) -> None:
    opened = Run.open(run)
    folder = opened.recipe.data.folder
    there = shutil.copytree(folder, run.parent / "moved")
    (run / "recipe.toml").write_text(
        (run / "recipe.toml").read_text().replace(str(folder), str(there)), encoding="utf-8"
    )
    command("evaluate", run, "--limit", 3)
    assert not changes(Run.open(run), "export")
    edit(run / "split.csv", "validation", "train")
    for words in (("evaluate", run), ("finetune", run), ("export", run), resume(run)):
        assert "the split" in command(*words, code=4), words


def test_settings_are_not_searched_in_the_folder_of_a_training(run: Path, command: Command) -> None:
    words = ("tune", run / "recipe.toml", "--out", run, "--resume", "--trials", 1)
    assert "--out" in command(*words, code=2)
    assert not (run / "study.db").exists()


def test_a_run_of_an_older_version_is_evaluated_again(run: Path, command: Command) -> None:
    state = json.loads((run / "run.json").read_text())
    for step in state["steps"].values():
        del step[KEY]
    (run / "run.json").write_text(json.dumps(state))
    path = run / "evaluation" / "calibration.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({key: each for key, each in values.items() if key != KEY}))
    assert f"pacs-ai evaluate {run}" in command("export", run, code=4)
    command("evaluate", run)
    command("export", run)


def test_a_stale_external_test_is_named_without_its_figures(run: Path, command: Command) -> None:
    command("evaluate", run, "--data", pictures(run.parent / "clinic", 8, of=36, split=False))
    command("export", run)
    assert set(json.loads((run / "bundle" / "metrics.json").read_text())["external"]) == {"clinic"}
    fine_tune_at_once(run)
    command(*resume(run))
    metrics = json.loads((run / "bundle" / "metrics.json").read_text())
    assert (metrics["external"], metrics["left_out"]) == ({}, ["clinic"])
    assert "left out: clinic" in (run / "bundle" / "MODEL_CARD.md").read_text(encoding="utf-8")
