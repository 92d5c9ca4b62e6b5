"""Folders of pictures; and that training reads what serving reads, whatever the file."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.errors import DataError, UnsupportedPixels
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.network import ComputedBy
from pacs_ai.model.predict import Classifier
from pacs_ai.phantom import MODALITIES, write_phantom_study
from training.data.build import build
from training.data.read import read_grey, read_input
from training.data.samples import SPLITS, Sample
from training.recipe.data import PictureData, Split
from training.recipe.recipe import Recipe

CONSOLE = Console(quiet=True)
SPLIT = Split(validation=0.3, test=0.3)


def picture(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 256, (8, 10), dtype=np.uint8)
    Image.fromarray(values).resize((50, 40), Image.Resampling.BICUBIC).save(path)
    return path


def recipe_of(recipe: Recipe, folder: Path, split: Split = SPLIT, **more: object) -> Recipe:
    names = {"0": "no finding", "1": "lesion"}
    data = PictureData(**{"source": "pictures", "folder": folder, "names": names, **more})
    return recipe.model_copy(update={"data": data, "split": split})


def labelled(folder: Path, count: int = 40) -> list[dict[str, str]]:
    """Pictures of two classes, two of each patient, and their labels."""
    rows = []
    for index in range(count):
        path = picture(folder / f"{index}.png", index)
        row = {"file": path.name, "label": str(index % 2), "who": f"P{index // 4}"}
        rows.append({**row, "set": "test" if index >= 30 else "train"})
    write_rows(folder, rows)
    return rows


def write_rows(folder: Path, rows: list[dict[str, str]]) -> None:
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_pictures_with_a_table(tmp_path: Path, demo_recipe: Recipe) -> None:
    labelled(tmp_path)
    recipe = recipe_of(demo_recipe, tmp_path, labels=tmp_path / "labels.csv", patient_column="who")
    dataset = build(recipe, CONSOLE).dataset
    patients = [{s.patient for s in dataset.split(name)} for name in SPLITS]
    assert sum(map(len, patients)) == len(set.union(*patients)) == 10
    assert all(s.labels == (int(s.path.stem) % 2,) for s in dataset.train)


def test_given_splits_and_rows_left_out(tmp_path: Path, demo_recipe: Recipe) -> None:
    labelled(tmp_path)
    recipe = recipe_of(
        demo_recipe,
        tmp_path,
        Split(by="given", validation=0.3),
        labels=tmp_path / "labels.csv",
        split_column="set",
        where={"who": ("P[0-5]", "P8")},
    )
    dataset = build(recipe, CONSOLE).dataset
    assert {int(s.path.stem) // 4 for s in dataset.test} == {8}
    assert len(dataset.train) + len(dataset.validation) == 24
    assert "12 rows that data.where leaves out" in dataset.notes


def test_a_folder_for_each_class_and_split(tmp_path: Path, demo_recipe: Recipe) -> None:
    for index in range(24):
        part = "Testing" if index % 3 == 0 else "Training"
        picture(tmp_path / part / str(index % 2) / f"{index}.jpg", index)
    dataset = build(
        recipe_of(demo_recipe, tmp_path, Split(by="given", validation=0.3)), CONSOLE
    ).dataset
    assert len(dataset.test) == 8
    assert all(s.labels == (int(s.path.parent.name),) for s in dataset.train)


def test_wrong_tables_and_pictures_are_named(tmp_path: Path, demo_recipe: Recipe) -> None:
    rows = labelled(tmp_path)
    recipe = recipe_of(demo_recipe, tmp_path, labels=tmp_path / "labels.csv")
    write_rows(tmp_path, [*rows, {**rows[0], "file": "none.png"}])
    with pytest.raises(DataError, match=r"labels.csv, line 42: there is no picture .*none.png"):
        build(recipe, CONSOLE)
    write_rows(tmp_path, rows[1:])
    with pytest.raises(DataError, match=r"no label: .*0.png.*data.unlabelled"):
        build(recipe, CONSOLE)
    write_rows(tmp_path, rows)
    (tmp_path / "3.png").write_bytes((tmp_path / "3.png").read_bytes()[:200])
    with pytest.raises(DataError, match=r"3.png: not a whole PNG.*data.unreadable"):
        build(recipe, CONSOLE)
    with pytest.raises(DataError, match=r"no PNG, JPEG.* file below"):
        build(recipe_of(demo_recipe, tmp_path / "nowhere"), CONSOLE)


def test_look_alikes_stay_together_or_are_refused(tmp_path: Path, demo_recipe: Recipe) -> None:
    rows = labelled(tmp_path)
    for index in range(0, 40, 2):
        source = Image.open(tmp_path / f"{index}.png")
        source.resize((60, 48), Image.Resampling.BICUBIC).save(tmp_path / f"{index + 1}.png")
        rows[index + 1]["label"] = rows[index]["label"] = str(index // 2 % 2)
    write_rows(tmp_path, rows)
    table = {"labels": tmp_path / "labels.csv"}
    with pytest.raises(DataError, match=r"nearly the same: .*near-duplicates"):
        build(recipe_of(demo_recipe, tmp_path, **table), CONSOLE)
    grouped = SPLIT.model_copy(update={"group": "near-duplicates"})
    built = build(recipe_of(demo_recipe, tmp_path, grouped, **table), CONSOLE)
    assert not built.findings.leaks
    for name in SPLITS:
        pairs = [int(s.path.stem) // 2 for s in built.dataset.split(name)]
        assert all(pairs.count(pair) == 2 for pair in pairs)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "I;16"])
def test_pictures_of_every_mode_are_grey_between_0_and_1(tmp_path: Path, mode: str) -> None:
    ramp = np.tile(np.linspace(0, 255, 64), (32, 1))
    if mode == "I;16":
        image = Image.fromarray((ramp * 257).astype(np.uint16))
    else:
        image = Image.fromarray(ramp.astype(np.uint8)).convert(mode)
    image.save(tmp_path / "x.png")
    grey = read_grey(Sample(path=tmp_path / "x.png", patient="", labels=(0,)))
    assert grey.shape == (32, 64)
    assert grey.dtype == np.float32
    assert (grey[:, 0].max(), grey[:, -1].min()) == (0.0, pytest.approx(1.0))


class Recorder:
    """Stands in the place of the runtime and keeps what it is fed."""

    computed_by = ComputedBy("none", "0")
    probe_sha256 = ""

    def __init__(self) -> None:
        self.fed: list[np.ndarray] = []

    def predict(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.fed.append(x)
        return np.zeros((1, 2), np.float32), np.zeros((1, 4, 4, 64), np.float32)


@pytest.fixture
def served() -> Callable[[Path, Recipe], np.ndarray]:
    """What the node's own `Classifier` feeds to its runtime for a DICOM file."""

    def feed(path: Path, recipe: Recipe, frame: int = 0) -> np.ndarray:
        recorder = Recorder()
        bundle = replace(load_bundle("demo"), input=recipe.input)
        pixels = read_pixels(path, frame + 1, recipe.input.windows)
        Classifier(bundle, recorder).predict_image(pixels)
        return recorder.fed[0][0]

    return feed


@pytest.mark.parametrize("name", ["letterbox-v1", "stretch-imagenet-rgb-v1", "centre-crop-unit-v1"])
@pytest.mark.parametrize("modality", MODALITIES)
def test_training_reads_what_serving_feeds(
    tmp_path: Path, demo_recipe: Recipe, served: Callable, name: str, modality: str
) -> None:
    spec = demo_recipe.input.model_copy(
        update={"preprocess": name, "windows": {"CT": (-400.0, 1500.0)}}
    )
    recipe = demo_recipe.model_copy(update={"input": spec})
    study = write_phantom_study(tmp_path, modality, 3, lesion=True, slices=3)
    for path in study.files:
        sample = Sample(path=path, patient="", labels=(0,))
        assert np.array_equal(read_input(sample, spec), served(path, recipe))


def test_training_reads_what_serving_feeds_over_the_corpus(
    shared: Path, demo_recipe: Recipe, served: Callable
) -> None:
    compared = 0
    for path in sorted((shared / "data" / "dicom").rglob("*.dcm"))[::12]:
        sample = Sample(path=path, patient="", labels=(0,))
        try:
            expected = served(path, demo_recipe)
        except (UnsupportedPixels, DataError):
            with pytest.raises(DataError):
                read_input(sample, demo_recipe.input)
        else:
            assert np.array_equal(read_input(sample, demo_recipe.input), expected)
            compared += 1
    assert compared > 15
