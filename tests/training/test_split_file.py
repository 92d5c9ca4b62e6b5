"""The split of a run stays what it was: data that changed afterwards are refused by name."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pacs_ai.errors import DataError
from tests.training.toys import toy_recipe
from training.data import build_dataset
from training.data.samples import SPLITS, Dataset
from training.data.split_file import COLUMNS, read_split
from training.recipe.data import PictureData, Split
from training.recipe.recipe import Recipe
from training.run.run import Run

Rows = list[dict[str, str]]
COUNT = 40


def picture(path: Path, seed: int, noise: float = 0) -> None:
    rng = np.random.default_rng(seed)
    coarse = np.kron(rng.integers(0, 256, (8, 8)), np.ones((4, 4)))
    grey = coarse + np.random.default_rng(seed + 1000).normal(0, noise, coarse.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).save(path)


def rows_of(path: Path) -> Rows:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, rows: Rows, columns: tuple[str, ...] = ()) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(
            file, columns or tuple(rows[0]), extrasaction="ignore", lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(rows)


def recipe_of(folder: Path, **split: object) -> Recipe:
    data = PictureData(
        source="pictures",
        folder=folder,
        labels=folder / "labels.csv",
        patient_column="patient",
        unlabelled="drop",
    )
    chosen = Split(**{"validation": 0.25, "test": 0.25, "group": "near-duplicates", **split})
    return toy_recipe(folder, ("empty", "bright")).model_copy(
        update={"data": data, "split": chosen}
    )


def write_pictures(folder: Path) -> Path:
    """Write forty pictures of twenty patients; those of the first two are nearly the same."""
    rows = []
    for index in range(COUNT):
        name = f"a/{index:02d}.png"
        few = index < 4
        picture(folder / name, 500 if few else index, noise=3 + index if few else 0)
        label = ("empty", "bright")[index // 2 % 2]
        rows.append({"file": name, "label": label, "patient": f"Doe^{index // 2}"})
    write_rows(folder / "labels.csv", rows)
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "pictures")


@pytest.fixture
def run(pictures: Path, tmp_path: Path) -> Run:
    """A run whose split is drawn."""
    opened = Run.create(recipe_of(pictures), tmp_path / "run")
    build_dataset(opened.recipe, opened)
    return opened


def again(run: Run) -> Dataset:
    return build_dataset(run.recipe, run)


def test_the_file_has_every_image_and_no_patient(run: Run) -> None:
    rows = rows_of(run.split)
    assert tuple(rows[0]) == COLUMNS
    assert [row["file"] for row in rows] == [f"a/{index:02d}.png" for index in range(COUNT)]
    assert {row["split"] for row in rows} == set(SPLITS)
    assert all(len(row["pixels"]) == 64 for row in rows)
    groups = [row["group"] for row in rows]
    assert len(set(groups[:4])) == 1
    assert len(set(groups)) == COUNT - 3
    assert len({row["split"] for row in rows[:4]}) == 1
    assert "Doe" not in run.split.read_text()


def test_it_is_used_and_not_drawn_again(run: Run, tmp_path: Path) -> None:
    rows, before = rows_of(run.split), again(run)
    moved = [{"train": "test", "test": "train"}.get(row["split"], row["split"]) for row in rows]
    write_rows(run.split, [row | {"split": name} for row, name in zip(rows, moved, strict=True)])
    written = run.split.read_bytes()
    after = again(run)
    assert (after.train, after.test) == (before.test, before.train)
    assert after.validation == before.validation
    assert run.split.read_bytes() == written
    # another run that imports the file has the same split, and writes the same bytes
    recipe = recipe_of(run.recipe.data.folder, file=run.split, salt="another")
    other = Run.create(recipe, tmp_path / "other")
    imported = build_dataset(Run.open(other.folder).recipe, other)
    assert [imported.split(name) for name in SPLITS] == [after.split(name) for name in SPLITS]
    assert other.split.read_bytes() == written


def relabel(folder: Path) -> None:
    rows = rows_of(folder / "labels.csv")
    write_rows(folder / "labels.csv", [rows[0] | {"label": "bright"}, *rows[1:]])


def rename_patients(folder: Path) -> None:
    rows = rows_of(folder / "labels.csv")
    write_rows(folder / "labels.csv", [row | {"patient": f"0{row['patient']}"} for row in rows])


def rename_folder(folder: Path) -> None:
    (folder / "a").rename(folder / "b")
    rows = rows_of(folder / "labels.csv")
    renamed = [row | {"file": row["file"].replace("a/", "b/")} for row in rows]
    write_rows(folder / "labels.csv", renamed)


def delete(folder: Path) -> None:
    (folder / "a/09.png").unlink()
    rows = rows_of(folder / "labels.csv")
    write_rows(folder / "labels.csv", [row for row in rows if row["file"] != "a/09.png"])


def add(folder: Path) -> None:
    picture(folder / "a/new.png", 99)
    rows = rows_of(folder / "labels.csv")
    new = {"file": "a/new.png", "label": "bright", "patient": "Doe^99"}
    write_rows(folder / "labels.csv", [*rows, new])


def relabel_and_add(folder: Path) -> None:
    relabel(folder)
    add(folder)


CHANGES: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "label": (relabel, ("changed labels: 1 (a/00.png)",)),
    "patients": (rename_patients, ("other patients: 40 (a/00.png, a/01.png, a/02.png, ...)",)),
    "replaced": (
        lambda folder: picture(folder / "a/05.png", 77),
        ("changed pictures: 1 (a/05.png",),
    ),
    "deleted": (delete, ("missing images: 1 (a/09.png)",)),
    "added": (add, ("new images: 1 (a/new.png)",)),
    "folder": (rename_folder, ("renamed files: 40 (a/00.png to b/00.png, ",)),
    "two": (
        relabel_and_add,
        ("changed labels: 1 (a/00.png)", "new images: 1 (a/new.png)"),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_data_are_refused(run: Run, pictures: Path, change: str) -> None:
    alter, words = CHANGES[change]
    files = {path: path.read_bytes() for path in (run.split, run.folder / "dataset.json")}
    alter(pictures)
    with pytest.raises(DataError) as caught:
        again(run)
    for word in ("the data are not those of", str(run.split), *words):
        assert word in caught.value.message
    assert "Doe" not in caught.value.message
    assert all(path.read_bytes() == content for path, content in files.items())


def test_another_threshold_for_near_duplicates_is_refused(run: Run) -> None:
    split = run.recipe.split.model_copy(update={"near_correlation": 1.0})
    with pytest.raises(DataError, match=r"other near-duplicate groups: \d \(a/0"):
        build_dataset(run.recipe.model_copy(update={"split": split}), run)


def test_another_folder_with_the_same_data_is_the_same_split(run: Run, pictures: Path) -> None:
    before = again(run)
    moved = Path(shutil.move(pictures, pictures.with_name("elsewhere")))
    after = build_dataset(recipe_of(moved), run)
    for name in SPLITS:
        names = [sample.path.name for sample in after.split(name)]
        assert names == [sample.path.name for sample in before.split(name)]


def test_images_left_out_are_known(pictures: Path, tmp_path: Path) -> None:
    recipe = recipe_of(pictures, group="patient", leakage="drop", by="hash", salt="s")
    rows = rows_of(pictures / "labels.csv")
    shutil.copy(pictures / "a/20.png", pictures / "a/30.png")
    shutil.copy(pictures / "a/20.png", pictures / "a/10.png")
    dropping = Run.create(recipe.model_copy(update={"limit": 3}), tmp_path / "dropping")
    before = build_dataset(dropping.recipe, dropping)
    reasons = {row["left_out"] for row in rows_of(dropping.split)}
    assert "limit" in reasons
    assert len(rows_of(dropping.split)) == len(rows)
    after = build_dataset(dropping.recipe, dropping)
    assert after == before


def test_a_file_by_hand_needs_two_columns(run: Run, pictures: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.csv"
    write_rows(mine, rows_of(run.split), ("file", "split"))
    other = Run.create(recipe_of(pictures, file=mine), tmp_path / "other")
    build_dataset(other.recipe, other)
    assert other.split.read_bytes() == run.split.read_bytes()
    (pictures / "a/09.png").unlink()
    write_rows(mine, rows_of(run.split)[:-1], ("file", "split"))
    third = Run.create(recipe_of(pictures, file=mine), tmp_path / "third")
    delete_row = [row for row in rows_of(pictures / "labels.csv") if row["file"] != "a/09.png"]
    write_rows(pictures / "labels.csv", delete_row)
    with pytest.raises(DataError, match=r"new images: 1 .*missing images: 1"):
        build_dataset(third.recipe, third)
    assert not third.split.exists()


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ([{"file": "a/00.png", "split": "learn"}], "'learn' is not a split"),
        ([{"file": "a/00.png", "split": ""}], "is in no split"),
        ([{"file": "", "split": "train"}], "a row needs a file"),
        ([{"file": "a", "split": "train"}, {"file": "a", "split": "test"}], "in two splits"),
    ],
)
def test_a_file_that_is_wrong(tmp_path: Path, rows: Rows, word: str) -> None:
    write_rows(tmp_path / "split.csv", rows)
    with pytest.raises(DataError, match=word):
        read_split(tmp_path / "split.csv")


def test_a_trained_run_without_its_split_is_refused(run: Run) -> None:
    run.best.touch()
    again(run)
    run.split.unlink()
    with pytest.raises(DataError, match=r"split.csv is missing"):
        again(run)
