"""A run of squares that a test trains in a second, and what its folder holds."""

import hashlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pacs_ai.cli import run as pacs_ai

KINDS = ("empty", "bright", "dark")
Command = Callable[..., str]

_PLACES = """
[data]
source = "pictures"
folder = "{folder}"
labels = "{folder}/labels.csv"
split_column = "split"
patient_column = "patient"
[split]
by = "given"
leakage = "report"
[optimisation]
epochs = 1
[finetune]
unfreeze = ["stage"]
epochs = 1
learning_rate = 1e-3
"""


def pictures(folder: Path, seed: int, *, of: int, split: bool = True) -> Path:
    """Write pictures with ``labels.csv``, each of a patient of its own pair."""
    from tests.training.toys import toy_samples  # noqa: PLC0415 - needs the train extra

    rows = ["file,label,split,patient"]
    for index, sample in enumerate(toy_samples(folder, of, seed)):
        part = ("train", "validation", "test")[index // 6 % 3] if split else ""
        label = KINDS[sample.labels[0]]
        rows.append(f"{sample.path.name},{label},{part},{sample.patient}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder


def write_recipe(home: Path) -> Path:
    """Write the recipe of a run that learns squares from pictures, and fine-tunes."""
    from tests.training.toys import toy_recipe  # noqa: PLC0415 - needs the train extra

    folder = pictures(home / "pictures", 5, of=108)
    toy_recipe(home)  # writes the file
    path = home / "toy.toml"
    text = path.read_text(encoding="utf-8")
    place = '[data]\nsource = "pictures"\nfolder = "."\n'
    assert place in text
    text = text.replace(place, _PLACES.format(folder=folder)).replace("steps = 6", "steps = 1")
    text = text.replace("resamples = 200", "resamples = 100").replace("images = 4", "images = 2")
    path.write_text(text, encoding="utf-8")
    return path


def copy_of(run: Path, folder: Path) -> Path:
    """Copy a run, to be changed."""
    return Path(shutil.copytree(run, folder / "run"))


def held(folder: Path) -> dict[str, str]:
    """Return the hash of every file of a folder, with the empty folders."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else ""
        for path in sorted(folder.rglob("*"))
    }


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text of a file by another."""
    text = path.read_text(encoding="utf-8")
    assert old in text, text
    path.write_text(text.replace(old, new), encoding="utf-8")


def command_of(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Make a function that runs ``pacs-ai``, and returns what it says.

    It has to end with ``code``; None stands for any but 0, after which the errors are returned.
    """
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # the command line sets its own

    def call(*words: object, code: int | None = 0) -> str:
        found = pacs_ai([str(word) for word in words])
        said = capsys.readouterr()
        assert found == code or (code is None and found > 0), said.err
        return said.out if code == 0 else said.err

    return call
