"""A collection of phantoms, a recipe for it, and ways to damage both."""

import csv
from pathlib import Path

import pydicom
import pytest
from rich.console import Console

from pacs_ai.errors import DataError
from pacs_ai.phantom import LABELS_FILE
from training.data.build import build
from training.recipe.data import DicomData, Split
from training.recipe.label_tables import LabelFile, TableLabels
from training.recipe.recipe import Recipe

CONSOLE = Console(quiet=True)
NAMES = {"0": "no finding", "1": "lesion"}


def recipe_of(recipe: Recipe, folder: Path, split: Split | None = None, **more: object) -> Recipe:
    labels = TableLabels(
        kind="table",
        files=(LabelFile(file=folder / LABELS_FILE),),
        key="SOPInstanceUID",
        key_column="sop_uid",
        box_columns=("x0", "y0", "x1", "y1"),
        **more.pop("table", {}),
    )
    data = DicomData(
        **{"source": "dicom", "folder": folder, "labels": labels, "names": NAMES, **more}
    )
    split = split or Split(validation=0.3, test=0.3, salt="4")
    return recipe.model_copy(update={"data": data, "split": split})


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / LABELS_FILE).open(newline="") as file:
        return list(csv.DictReader(file))


def write_rows(folder: Path, rows: list[dict[str, str]]) -> None:
    with (folder / LABELS_FILE).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def edit(path: Path, **values: object) -> None:
    dataset = pydicom.dcmread(path)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)


def first(folder: Path) -> Path:
    return min(folder.rglob("*.dcm"))


def refused(recipe: Recipe, *words: str) -> None:
    with pytest.raises(DataError) as caught:
        build(recipe, CONSOLE)
    for word in words:
        assert word in caught.value.message
    assert "PHANTOM-" not in caught.value.message
