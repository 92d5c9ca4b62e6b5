"""Images that cannot be used: each error names a file and what to do."""

import resource
import shutil
from pathlib import Path

import pytest

from pacs_ai.errors import NoSpace, StorageError
from pacs_ai.phantom import LABELS_FILE
from tests.training.damage import CONSOLE, edit, first, recipe_of, refused
from training.cli.dataset import dataset
from training.data.build import build
from training.data.samples import SPLITS
from training.recipe.data import PhantomData
from training.recipe.recipe import Recipe


def test_the_collection_is_usable_before_it_is_damaged(folder: Path, demo_recipe: Recipe) -> None:
    dataset = build(recipe_of(demo_recipe, folder), CONSOLE).dataset
    assert all(dataset.split(name) for name in SPLITS)


def test_a_corrupt_file(folder: Path, demo_recipe: Recipe) -> None:
    broken = first(folder)
    broken.write_bytes(broken.read_bytes()[:-5000])
    refused(recipe_of(demo_recipe, folder), str(broken), 'data.unreadable = "drop"')
    notes = build(recipe_of(demo_recipe, folder, unreadable="drop"), CONSOLE).dataset.notes
    (note,) = [each for each in notes if "1 files left out, cannot be read" in each]
    assert note.count(str(broken)) == 1


def test_a_file_that_only_looks_like_dicom(folder: Path, demo_recipe: Recipe) -> None:
    (folder / "junk.dcm").write_bytes(bytes(128) + b"DICM" + b"\xff" * 100)
    refused(recipe_of(demo_recipe, folder), "junk.dcm", "cannot be read as DICOM")


@pytest.mark.parametrize("content", [(), ("LICENSE",)])
def test_an_empty_series(folder: Path, demo_recipe: Recipe, content: tuple[str, ...]) -> None:
    empty = folder / "series"
    empty.mkdir()
    for name in content:
        (empty / name).write_text("CC BY")
    refused(recipe_of(demo_recipe, folder), str(empty), "the series is empty", "download again")


def test_no_images_at_all(tmp_path: Path, demo_recipe: Recipe) -> None:
    refused(recipe_of(demo_recipe, tmp_path / "none"), "no DICOM file", "download")


def test_grey_and_colour_mixed(folder: Path, demo_recipe: Recipe) -> None:
    rows = columns = 4
    edit(
        first(folder),
        PhotometricInterpretation="RGB",
        SamplesPerPixel=3,
        PlanarConfiguration=0,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        Rows=rows,
        Columns=columns,
        PixelData=bytes(3 * rows * columns),
    )
    refused(recipe_of(demo_recipe, folder), str(first(folder)), "colour (RGB)", "data.where")
    where = {"PhotometricInterpretation": "MONOCHROME*"}
    assert build(recipe_of(demo_recipe, folder, where=where), CONSOLE).dataset.train


def test_a_shape_that_contradicts_the_pixels(folder: Path, demo_recipe: Recipe) -> None:
    edit(first(folder), Rows=9999)
    refused(recipe_of(demo_recipe, folder), str(first(folder)), "cannot be read")


def test_copies_of_an_instance_count_once(folder: Path, demo_recipe: Recipe) -> None:
    shutil.copy(first(folder), folder / "again.dcm")
    (note,) = build(recipe_of(demo_recipe, folder), CONSOLE).dataset.notes
    assert "1 files are copies" in note


def test_a_patient_without_id(folder: Path, demo_recipe: Recipe) -> None:
    edit(first(folder), PatientID="")
    refused(recipe_of(demo_recipe, folder), str(first(folder)), "no PatientID")


def test_a_disk_that_fills_up_while_phantoms_are_drawn(tmp_path: Path, demo_recipe: Recipe) -> None:
    # A file over the limit fails as on a full disk, in the middle of what pydicom writes.
    data = PhantomData(
        source="phantom",
        folder=tmp_path,
        seed=1,
        **dict.fromkeys(("train_studies", "validation_studies", "test_studies"), 4),
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(NoSpace, match=r"train-4-1 is full: free some space"):
            build(demo_recipe.model_copy(update={"data": data}), CONSOLE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.rglob(LABELS_FILE)), "half a collection must not pass for a whole one"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="look cannot be made"):
        dataset("phantom", out=tmp_path / "file" / "look", limit=1)
