"""The command a researcher types, from data to a bundle the node serves, and through a SIGKILL."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pacs_ai.demo.phantom import write_phantom_study
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from training.config import RECIPES
from training.run import STEPS, Run

pytestmark = [pytest.mark.train, pytest.mark.slow, pytest.mark.timeout(400)]

CHANGES = {
    "train_studies = 1200": "train_studies = 24",
    "validation_studies = 300": "validation_studies = 16",
    "test_studies = 600": "test_studies = 16",
    "epochs = 6": "epochs = 2\ncheckpoint_seconds = 0",
    "images_per_epoch = 4800": "images_per_epoch = 128",
    "stages = [24, 48, 64]": "stages = [8, 8, 8]",
    "[release]": """[finetune]
unfreeze = ["stage3", "all"]
epochs = 2
[evaluation]
resamples = 100
[explanation]
images = 2
steps = 2
curve_images = 2
curve_steps = 2
[release]""",
}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The phantom recipe, so small that a training takes seconds."""
    text = (RECIPES / "phantom.toml").read_text(encoding="utf-8")
    for old, new in CHANGES.items():
        assert old in text
        text = text.replace(old, new)
    path = tmp_path_factory.mktemp("recipe") / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def start(root: Path, *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pacs_ai", *map(str, words)],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_a_killed_run_goes_on_and_ends_in_the_same_bundle_byte_for_byte(
    root: Path, recipe: Path, tmp_path: Path
) -> None:
    whole = start(root, "train", recipe, "--out", tmp_path / "whole", "--json")
    out = finish(whole)
    report = json.loads(out)
    assert list(report["steps"]) == list(STEPS)
    assert {"keras", "numpy", "pydicom"} <= set(report["versions"])

    killed = start(root, "train", recipe, "--out", tmp_path / "killed")
    checkpoint = tmp_path / "killed" / "train.checkpoint.npz"
    while not checkpoint.exists():
        assert killed.poll() is None, killed.communicate()
        time.sleep(0.01)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert not Run.open(tmp_path / "killed").done("train")

    refused = start(root, "train", recipe, "--out", tmp_path / "killed")
    assert refused.wait() == 2
    assert "--resume" in refused.communicate()[1]

    finish(start(root, "train", recipe, "--out", tmp_path / "killed", "--resume"))
    bundles = tmp_path / "whole" / "bundle", tmp_path / "killed" / "bundle"
    assert hashes(bundles[0]) == hashes(bundles[1])
    assert not checkpoint.exists()

    Classifier.load(load_bundle(bundles[0]))
    study = write_phantom_study(tmp_path / "study", "CR", 5, lesion=True, slices=1)
    results = tmp_path / "results"
    words = ("infer", *study.files, "--model", bundles[0], "--out", results)
    finish(start(root, *words))
    assert list(results.rglob("*.dcm"))


def test_ctrl_c_ends_with_130_and_leaves_a_run_to_continue(
    root: Path, recipe: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    process = start(root, "train", recipe, "--out", run, "--until", "train")
    while not (run / "train.checkpoint.npz").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert "--resume" in err
    finish(start(root, "train", recipe, "--out", run, "--until", "train", "--resume"))
    assert Run.open(run).done("train")
    assert not Run.open(run).done("evaluate")
