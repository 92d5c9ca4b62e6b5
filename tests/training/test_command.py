"""The command that makes the demonstration model, on a recipe small enough for a test."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from training.config import RECIPES

pytestmark = [pytest.mark.train, pytest.mark.slow, pytest.mark.timeout(300)]

SMALL = {
    "train_studies = 1200": "train_studies = 24",
    "validation_studies = 300": "validation_studies = 12",
    "test_studies = 600": "test_studies = 16",
    "epochs = 6": "epochs = 1",
    "images_per_epoch = 4800": "images_per_epoch = 64",
    "stages = [24, 48, 64]": "stages = [8, 8, 8]",
}


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_one_command_makes_the_same_bundle_again(tmp_path: Path, root: Path) -> None:
    text = (RECIPES / "demo.toml").read_text(encoding="utf-8")
    for old, new in SMALL.items():
        assert old in text
        text = text.replace(old, new)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(text, encoding="utf-8")
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "training.demo", "--out", tmp_path / name, "--recipe", recipe],
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name in ("a", "b")
    ]
    said = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    first = hashes(tmp_path / "a" / "bundle")
    assert first == hashes(tmp_path / "b" / "bundle")
    assert set(first) == {"model.onnx", "model.toml", "head.npy", "weights.npz", "MODEL_CARD.md"}
    Classifier.load(load_bundle(tmp_path / "a" / "bundle"))
    card = (tmp_path / "a" / "bundle" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "NOT FOR CLINICAL USE" in card
