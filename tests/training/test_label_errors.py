"""Labels that cannot be used: each error names a file or a row, and what to do."""

import shutil
from pathlib import Path

import pytest
from pydicom.uid import generate_uid

from pacs_ai.errors import ConfigError
from pacs_ai.phantom import LABELS_FILE
from tests.training.damage import CONSOLE, edit, first, recipe_of, refused, rows_of, write_rows
from training.data.build import build
from training.recipe.label_tables import PatternLabels
from training.recipe.recipe import Recipe


def test_no_labels(folder: Path, demo_recipe: Recipe) -> None:
    (folder / LABELS_FILE).unlink()
    refused(recipe_of(demo_recipe, folder), LABELS_FILE, "does not exist")


def test_a_spreadsheet_is_no_csv(folder: Path, demo_recipe: Recipe) -> None:
    (folder / LABELS_FILE).write_bytes(b"PK\x03\x04\xff\xfe")
    refused(recipe_of(demo_recipe, folder), LABELS_FILE, "save a spreadsheet as CSV")


def test_a_missing_column(folder: Path, demo_recipe: Recipe) -> None:
    recipe = recipe_of(demo_recipe, folder, table={"label_column": "pathology"})
    refused(recipe, LABELS_FILE, "'pathology'", "it has: file, patient_id")


def test_an_empty_label(folder: Path, demo_recipe: Recipe) -> None:
    rows = rows_of(folder)
    rows[3]["label"] = ""
    write_rows(folder, rows)
    refused(recipe_of(demo_recipe, folder), f"{LABELS_FILE}, line 5", "empty")


def test_a_label_that_is_no_class(folder: Path, demo_recipe: Recipe) -> None:
    rows = rows_of(folder)
    rows[0]["label"] = "2"
    write_rows(folder, rows)
    refused(recipe_of(demo_recipe, folder), "line 2", "'2' is none of the classes", "data.names")


def test_labels_that_contradict_each_other(folder: Path, demo_recipe: Recipe) -> None:
    rows = rows_of(folder)
    write_rows(folder, [*rows, {**rows[0], "label": str(1 - int(rows[0]["label"]))}])
    refused(recipe_of(demo_recipe, folder), "line 2", f"line {len(rows) + 2}", "correct the labels")


def test_an_image_without_a_label(folder: Path, demo_recipe: Recipe) -> None:
    rows = rows_of(folder)
    write_rows(folder, rows[1:])
    refused(recipe_of(demo_recipe, folder), rows[0]["file"], 'data.unlabelled = "drop"')
    notes = build(recipe_of(demo_recipe, folder, unlabelled="drop"), CONSOLE).dataset.notes
    assert "1 files left out, no label" in notes[0]


def test_labels_of_images_that_are_not_there(folder: Path, demo_recipe: Recipe) -> None:
    first(folder).unlink()
    (note,) = build(recipe_of(demo_recipe, folder), CONSOLE).dataset.notes
    assert "1 rows name an image that is not there" in note
    assert f"{LABELS_FILE}, line 2" in note


def test_one_class_only(folder: Path, demo_recipe: Recipe) -> None:
    write_rows(folder, [{**row, "label": "0"} for row in rows_of(folder)])
    refused(recipe_of(demo_recipe, folder), "one class only", "none is lesion")


def test_a_box_outside_of_its_image(folder: Path, demo_recipe: Recipe) -> None:
    rows = rows_of(folder)
    boxed = next(row for row in rows if row["x0"])
    boxed["x1"] = "99999"
    write_rows(folder, rows)
    refused(recipe_of(demo_recipe, folder), boxed["file"], "is not inside the image")


@pytest.mark.parametrize(("pattern", "said"), [("(", "no regular"), ("abc", "needs a group")])
def test_a_pattern_that_cannot_work(
    folder: Path, demo_recipe: Recipe, pattern: str, said: str
) -> None:
    labels = PatternLabels(kind="patient-id", pattern=pattern)
    with pytest.raises(ConfigError, match=said):
        build(recipe_of(demo_recipe, folder, labels=labels), CONSOLE)


def test_new_uids_are_new_images(folder: Path, demo_recipe: Recipe) -> None:
    copy = Path(shutil.copy(first(folder), folder / "other.dcm"))
    edit(copy, SOPInstanceUID=generate_uid())
    refused(recipe_of(demo_recipe, folder), "other.dcm", "no label")
