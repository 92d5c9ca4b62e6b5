"""What is said of training images that could not be shown as header or recipe ask."""

import csv
from pathlib import Path

import numpy as np
import pydicom
import pytest
from rich.console import Console

from pacs_ai.errors import DataError
from pacs_ai.phantom import LABELS_FILE, write_phantom_collection
from training.data.build import build
from training.recipe.data import DicomData, Split
from training.recipe.label_tables import LabelFile, TableLabels
from training.recipe.recipe import Recipe

CONSOLE = Console(quiet=True)


@pytest.fixture
def recipe(demo_recipe: Recipe, tmp_path: Path) -> Recipe:
    write_phantom_collection(tmp_path, 16, seed=5)
    labels = TableLabels(
        kind="table",
        files=(LabelFile(file=tmp_path / LABELS_FILE),),
        key="SOPInstanceUID",
        key_column="sop_uid",
    )
    names = {"0": "no finding", "1": "lesion"}
    data = DicomData(source="dicom", folder=tmp_path, labels=labels, names=names)
    spec = demo_recipe.input.model_copy(update={"windows": {"CT": (40.0, 400.0)}})
    split = Split(validation=0.3, test=0.3, salt="4")
    return demo_recipe.model_copy(update={"data": data, "split": split, "input": spec})


def changed(recipe: Recipe, modality: str, **values: object) -> Path:
    """Change the header of the first labelled image of a modality."""
    assert isinstance(recipe.data, DicomData)
    with (recipe.data.folder / LABELS_FILE).open() as rows:
        wanted = {row["sop_uid"] for row in csv.DictReader(rows)}
    for path in sorted(recipe.data.folder.rglob("*.dcm")):
        ds = pydicom.dcmread(path)
        if ds.SOPInstanceUID in wanted and ds.Modality == modality:
            for keyword, value in values.items():
                setattr(ds, keyword, value)
            ds.save_as(path)
            return path
    raise AssertionError(modality)


def test_units_and_windows_that_are_missing_are_counted_and_named(recipe: Recipe) -> None:
    ct = changed(recipe, "CT", RescaleType="US")
    mr = changed(recipe, "MR", WindowWidth=0, WindowCenter=1)
    notes = build(recipe, CONSOLE).dataset.notes
    assert f"1 images: no Hounsfield units (the first: {ct})" in notes
    assert f"1 images: window not usable (the first: {mr})" in notes


def test_a_picture_that_collapses_is_no_training_image(recipe: Recipe) -> None:
    lut = pydicom.Dataset()
    lut.LUTDescriptor = [2, 0, 8]
    lut.LUTData = np.array([9, 9], "<u2").tobytes()
    lut["LUTData"].VR = "OW"
    path = changed(recipe, "MR", WindowWidth=None, WindowCenter=None, VOILUTSequence=[lut])
    with pytest.raises(DataError, match="collapses") as caught:
        build(recipe, CONSOLE)
    assert str(path) in caught.value.message
    assert isinstance(recipe.data, DicomData)
    lenient = recipe.data.model_copy(update={"unreadable": "drop"})
    notes = build(recipe.model_copy(update={"data": lenient}), CONSOLE).dataset.notes
    assert any("1 files left out, cannot be read" in note for note in notes)
