"""Other data need no split, and are compared with all that the model learned from."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pacs_ai.errors import DataError
from tests.training.test_split_file import picture, recipe_of, rows_of, write_pictures, write_rows
from training.data import build_dataset, build_other
from training.data.samples import Dataset
from training.recipe.recipe import with_data
from training.run.run import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run that learned from pictures with names of patients."""
    opened = Run.create(recipe_of(write_pictures(tmp_path / "pictures")), tmp_path / "run")
    build_dataset(opened.recipe, opened)
    return opened


@pytest.fixture
def clinic(tmp_path: Path) -> Path:
    """Four pictures of two patients, unlike all others."""
    folder = tmp_path / "clinic"
    rows = []
    for index in range(4):
        name = f"{index}.png"
        picture(folder / name, 900 + index)
        label = ("empty", "bright")[index % 2]
        rows.append({"file": name, "label": label, "patient": f"Roe^{index // 2}"})
    write_rows(folder / "labels.csv", rows)
    return folder


def other(run: Run, folder: Path, patient: str = "patient", **split: object) -> Dataset:
    section = {
        "source": "pictures",
        "folder": str(folder),
        "labels": str(folder / "labels.csv"),
        "patient_column": patient,
    }
    recipe = with_data(run.recipe, section, split, folder)
    place = run.evaluation / str(len(list(run.evaluation.iterdir())))
    return build_other(recipe, Run.create(recipe, place), run)


def learned_files(run: Run, *splits: str) -> list[Path]:
    return [run.recipe.data.folder / r["file"] for r in rows_of(run.split) if r["split"] in splits]


def add(folder: Path, path: Path, patient: str = "Roe^9") -> None:
    """Add a picture to the labels."""
    rows = rows_of(folder / "labels.csv")
    write_rows(
        folder / "labels.csv", [*rows, {"file": path.name, "label": "empty", "patient": patient}]
    )


def test_few_patients_are_enough_and_all_are_test(run: Run, clinic: Path) -> None:
    found = other(run, clinic)
    assert (len(found.train), len(found.validation), len(found.test)) == (0, 0, 4)
    assert not any("model learned from" in note for note in found.notes)


def darker(path: Path) -> Image.Image:
    with Image.open(path) as opened:
        return Image.fromarray((np.asarray(opened) * 0.7 + 20).astype(np.uint8))


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize(
    ("suffix", "change", "said"),
    [
        (".png", Image.open, "have the pixels of images"),
        (".jpg", Image.open, "are nearly the same as images"),
        (".png", darker, "are nearly the same as images"),
    ],
)
def test_copies_under_other_names_are_refused(
    run: Run, clinic: Path, split: str, suffix: str, change, said: str
) -> None:
    source = learned_files(run, split)[-1]
    copy = clinic / f"unknown{suffix}"
    change(source).save(copy, **({"quality": 85} if suffix == ".jpg" else {}))
    add(clinic, copy)
    shutil.rmtree(run.recipe.data.folder)  # the training images are not needed
    with pytest.raises(DataError) as caught:
        other(run, clinic)
    for word in ("1 of 5 images", said, f"{copy.name} and a/{source.name}", "no external test"):
        assert word in caught.value.message
    dropped = other(run, clinic, leakage="drop")
    assert copy not in {sample.path for sample in dropped.test}
    assert len(dropped.test) == 4
    assert any("1 of 5 images" in note and "left out" in note for note in dropped.notes)
    kept = other(run, clinic, leakage="report")
    assert len(kept.test) == 5
    assert any("kept, as [split] says" in note for note in kept.notes)


def test_patients_are_compared_and_not_named(run: Run, clinic: Path) -> None:
    learned = rows_of(run.recipe.data.folder / "labels.csv")
    row = next(r for r in rows_of(run.split) if r["split"] == "train")
    picture(clinic / "new.png", 990)
    patient = next(r["patient"] for r in learned if r["file"] == row["file"])
    add(clinic, clinic / "new.png", patient)
    with pytest.raises(DataError, match="1 of 5 images are of patients whom") as caught:
        other(run, clinic)
    assert "Doe" not in caught.value.message


def test_equal_file_names_are_no_equal_patients(tmp_path: Path, clinic: Path) -> None:
    folder = write_pictures(tmp_path / "pictures")
    recipe = recipe_of(folder)
    nameless = recipe.model_copy(
        update={"data": recipe.data.model_copy(update={"patient_column": ""})}
    )
    run = Run.create(nameless, tmp_path / "run")
    build_dataset(run.recipe, run)
    (clinic / "a").mkdir()
    rows = rows_of(clinic / "labels.csv")
    for index, row in enumerate(rows):
        (clinic / row["file"]).rename(clinic / f"a/{index:02d}.png")
        row["file"] = f"a/{index:02d}.png"
    write_rows(clinic / "labels.csv", rows)
    assert len(other(run, clinic, patient="").test) == 4


def test_fingerprints_that_do_not_fit_are_refused(run: Run, clinic: Path) -> None:
    rows = rows_of(run.split)
    order = {"train": "test", "test": "train"}
    write_rows(run.split, [r | {"split": order.get(r["split"], r["split"])} for r in rows])
    with pytest.raises(DataError, match="is not of the images of"):
        other(run, clinic)
    run.learned.write_bytes(b"no zip file")
    with pytest.raises(DataError, match="cannot be read"):
        other(run, clinic)
    run.learned.unlink()
    assert len(other(run, clinic).test) == 4
    assert run.learned.exists()
