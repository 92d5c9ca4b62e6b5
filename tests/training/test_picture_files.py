"""Pictures of all kinds that people have: read, or counted and named."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from pacs_ai.errors import DataError
from tests.training.test_pictures import labelled, picture, recipe_of, write_rows
from training.data.build import build
from training.data.picture_file import read_picture
from training.data.samples import SPLITS, Dataset
from training.recipe.data import Crop, Split
from training.recipe.recipe import Recipe

CONSOLE = Console(quiet=True)


def every(dataset: Dataset) -> list[Path]:
    return [sample.path for name in SPLITS for sample in dataset.split(name)]


def sigmoid(recipe: Recipe) -> Recipe:
    release = recipe.release.model_copy(update={"activation": "sigmoid"})
    return recipe.model_copy(update={"release": release})


@pytest.mark.parametrize("suffix", ["png", "tif", "TIFF", "bmp", "webp"])
def test_other_formats_are_read(tmp_path: Path, suffix: str) -> None:
    values = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    path = tmp_path / f"one.{suffix}"
    Image.fromarray(values).save(path, **({"lossless": True} if suffix == "webp" else {}))
    assert np.abs(read_picture(path) * 255 - values).max() < 1


@pytest.mark.parametrize(("top", "suffix"), [(4095, "png"), (1023, "tif"), (65535, "png")])
def test_sixteen_bits_are_shown_by_the_range_they_hold(
    tmp_path: Path, top: int, suffix: str
) -> None:
    values = np.linspace(0, top, 64).astype(np.uint16).reshape(8, 8)
    path = tmp_path / f"one.{suffix}"
    Image.fromarray(values).save(path)
    grey = read_picture(path)
    assert (grey.min(), grey.max()) == (0, 1)
    assert np.allclose(grey, values / top, atol=1e-5)


def test_floating_point_numbers_are_shown_and_pages_refused(tmp_path: Path) -> None:
    values = np.linspace(-3, 5, 64, dtype=np.float32).reshape(8, 8)
    Image.fromarray(values).save(tmp_path / "one.tif")
    low, high = np.percentile(values, (1, 99))
    wanted = np.clip((values - low) / (high - low), 0, 1)
    assert np.allclose(read_picture(tmp_path / "one.tif"), wanted, atol=1e-6)
    page = Image.fromarray(np.zeros((8, 8), np.uint8))
    page.save(tmp_path / "two.tif", save_all=True, append_images=[page])
    with pytest.raises(DataError, match="has 2 pages"):
        read_picture(tmp_path / "two.tif")


def test_files_that_are_not_read_are_counted_by_kind(tmp_path: Path, demo_recipe: Recipe) -> None:
    for index in range(40):
        suffix = ("png", "tif", "webp", "bmp")[index // 2 % 4]
        picture(tmp_path / str(index % 2) / f"{index}.{suffix}", index)
    for name in ("a.nii.gz", "b.gz", "c.gif", "d"):
        (tmp_path / "0" / name).write_bytes(b"x")
    dataset = build(recipe_of(demo_recipe, tmp_path), CONSOLE).dataset
    assert len(every(dataset)) == 40
    notes = "\n".join(dataset.notes)
    assert "2 files left out, not PNG, JPEG, TIFF, WebP or BMP (.gz; the first: " in notes
    assert "(.gif; " in notes
    assert "(without an ending; " in notes


def test_a_picture_of_too_many_pixels_is_named(
    tmp_path: Path, demo_recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = labelled(tmp_path)
    Image.fromarray(np.zeros((500, 500), np.uint8)).save(tmp_path / "7.png")
    box = {"x0": 1, "y0": 1, "x1": 9, "y1": 9}
    write_rows(tmp_path, [{**row, **box} for row in rows])
    plain = {"labels": tmp_path / "labels.csv"}
    for settings in (plain, {**plain, "box_columns": ("x0", "y0", "x1", "y1")}):
        for most in (200_000, 50_000):  # Pillow warns above the limit, and refuses twice of it
            monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
            with pytest.raises(DataError, match=r"7\.png.*too many pixels"):
                build(recipe_of(demo_recipe, tmp_path, **settings), CONSOLE)


def test_the_patient_may_be_in_the_name(tmp_path: Path, demo_recipe: Recipe) -> None:
    for index in range(48):
        name = f"person{index // 4:03d}_{('virus', 'bacteria')[index % 2]}_{index}.jpeg"
        picture(tmp_path / str(index // 4 % 2) / name, index)
    recipe = recipe_of(demo_recipe, tmp_path, patient_pattern=r"person(\d+)_|IM-(\d+)-")
    dataset = build(recipe, CONSOLE).dataset
    patients = [{sample.patient for sample in dataset.split(name)} for name in SPLITS]
    assert set.union(*patients) == {f"{index:03d}" for index in range(12)}
    assert sum(map(len, patients)) == 12
    picture(tmp_path / "0" / "nobody.jpeg", 99)
    with pytest.raises(DataError, match=r"nobody\.jpeg: data\.patient_pattern finds no patient"):
        build(recipe, CONSOLE)


def test_rows_without_a_picture_are_counted_and_zeros_suspected(
    tmp_path: Path, demo_recipe: Recipe
) -> None:
    rows = labelled(tmp_path)
    for row in rows:
        (tmp_path / row["file"]).rename(tmp_path / f"{int(row['file'][:-4]):05d}.png")
    write_rows(tmp_path, [{**row, "file": row["file"][:-4]} for row in rows])
    recipe = recipe_of(demo_recipe, tmp_path, labels=tmp_path / "labels.csv")
    said = r"40 of 40 rows .*labels\.csv, line 2: .*There is 00000\.png: a spreadsheet"
    with pytest.raises(DataError, match=said):
        build(recipe, CONSOLE)


def test_no_finding_beside_a_finding_is_counted(tmp_path: Path, demo_recipe: Recipe) -> None:
    said = ("a", "No Finding|a", "No Finding", "b")
    rows = [{**row, "label": said[i // 4 % 4]} for i, row in enumerate(labelled(tmp_path))]
    write_rows(tmp_path, [*rows, {**rows[8], "label": "b"}])
    recipe = recipe_of(
        sigmoid(demo_recipe),
        tmp_path,
        Split(validation=0.3, test=0.3, leakage="report"),
        labels=tmp_path / "labels.csv",
        separator="|",
        names={"a": "no finding", "b": "lesion"},
    )
    (note,) = [each for each in build(recipe, CONSOLE).dataset.notes if "and a class" in each]
    assert note.startswith("13 images are labelled no finding and a class; the class counts")
    assert note.endswith("labels.csv, line 6)")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"names": {"0": "no finding", "1": "lesion", "?": ""}}, "data.names leaves their labels"),
        ({"names": {"0": "no finding", "1": "lesion"}, "separator": "|"}, "none of the classes"),
        ({"box_columns": ("x0", "y0", "x1", "y1"), "crop": Crop()}, "they have no box"),
    ],
)
def test_pictures_that_their_labels_leave_out_are_counted(
    tmp_path: Path, demo_recipe: Recipe, settings: dict[str, object], said: str
) -> None:
    rows = []
    for index, row in enumerate(labelled(tmp_path)):
        out = index % 4 == 3
        label = ("" if "separator" in settings else "?") if out else row["label"]
        box = {"x0": 1, "y0": 1, "x1": 9, "y1": 9}
        if "crop" in settings:
            label, box = row["label"], dict.fromkeys(box, "") if out else box
        rows.append({**row, "label": label, **box})
    write_rows(tmp_path, rows)
    recipe = recipe_of(demo_recipe, tmp_path, labels=tmp_path / "labels.csv", **settings)
    dataset = build(recipe, CONSOLE).dataset
    assert len(every(dataset)) == 30
    (note,) = [each for each in dataset.notes if "images left out" in each]
    assert said in note
    assert note.startswith("10 images left out, ")
    assert note.endswith("labels.csv, line 5)")


def test_a_link_to_nothing_is_no_picture(tmp_path: Path, demo_recipe: Recipe) -> None:
    for index in range(40):
        picture(tmp_path / str(index % 2) / f"{index}.png", index)
    (tmp_path / "0" / "gone.png").symlink_to(tmp_path / "nothing.png")
    (tmp_path / "0" / "folder").symlink_to(tmp_path / "1")
    with pytest.raises(DataError, match=r"1 files: cannot be read: .*gone\.png"):
        build(recipe_of(demo_recipe, tmp_path), CONSOLE)


@pytest.mark.parametrize("mapped", [{}, {"No Finding": ""}])
def test_no_finding_is_a_negative_of_every_class(
    tmp_path: Path, demo_recipe: Recipe, mapped: dict[str, str]
) -> None:
    said = ("lesion", "No Finding", "no finding|lesion")
    rows = labelled(tmp_path)
    write_rows(tmp_path, [{**r, "label": said[i // 4 % 3]} for i, r in enumerate(rows)])
    recipe = recipe_of(
        sigmoid(demo_recipe),
        tmp_path,
        Split(validation=0.3, test=0.3, leakage="report"),
        labels=tmp_path / "labels.csv",
        separator="|",
        patient_column="who",
        names=mapped,
    )
    dataset = build(recipe, CONSOLE).dataset
    samples = [sample for name in SPLITS for sample in dataset.split(name)]
    assert len(samples) == 40
    assert not [note for note in dataset.notes if "no finding and a class" in note]
    for sample in samples:
        kind = said[int(sample.path.stem) // 4 % 3]
        assert sample.labels == {"lesion": (1,), "No Finding": ()}.get(kind, (0, 1))
