"""Data that cannot be used: each error names a file and what to do."""

import csv
import resource
import shutil
from collections import Counter
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import generate_uid
from rich.console import Console

from pacs_ai.errors import ConfigError, DataError, NoSpace, StorageError
from pacs_ai.phantom import LABELS_FILE, write_phantom_collection
from training.cli.dataset import dataset
from training.data.build import build
from training.data.report import summary, text
from training.data.samples import SPLITS
from training.recipe.data import (
    DicomData,
    LabelFile,
    PatternLabels,
    PhantomData,
    Split,
    TableLabels,
)
from training.recipe.recipe import Recipe

CONSOLE = Console(quiet=True)
NAMES = {"0": "no finding", "1": "lesion"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    write_phantom_collection(folder, 28, seed=21)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "tree"))


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


def test_the_collection_is_usable_before_it_is_damaged(folder: Path, demo_recipe: Recipe) -> None:
    dataset = build(recipe_of(demo_recipe, folder), CONSOLE).dataset
    assert all(dataset.split(name) for name in SPLITS)


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


def test_a_split_too_small(folder: Path, demo_recipe: Recipe) -> None:
    split = Split(validation=0.001, test=0.3)
    refused(recipe_of(demo_recipe, folder, split), "the validation split holds 0", "split.salt")


def test_a_corrupt_file(folder: Path, demo_recipe: Recipe) -> None:
    broken = first(folder)
    broken.write_bytes(broken.read_bytes()[:-5000])
    refused(recipe_of(demo_recipe, folder), str(broken), 'data.unreadable = "drop"')
    notes = build(recipe_of(demo_recipe, folder, unreadable="drop"), CONSOLE).dataset.notes
    assert any("1 files left out, cannot be read" in note for note in notes)


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


def test_a_box_outside_of_its_image(folder: Path, demo_recipe: Recipe) -> None:
    rows = rows_of(folder)
    boxed = next(row for row in rows if row["x0"])
    boxed["x1"] = "99999"
    write_rows(folder, rows)
    refused(recipe_of(demo_recipe, folder), boxed["file"], "is not inside the image")


def test_one_patient_in_two_splits(folder: Path, demo_recipe: Recipe) -> None:
    rows = rows_of(folder)
    patient = next(
        r["patient_id"]
        for r in rows
        if len({s["study_uid"] for s in rows if s["patient_id"] == r["patient_id"]}) > 1
    )
    for row in rows:
        row["split"] = "test" if int(row["file"][5:10]) % 2 else "train"
        if row["patient_id"] == patient:
            row["split"] = "test" if row["file"] < "study00003" else "train"
    write_rows(folder, rows)
    split = Split(by="given", validation=0.4, salt="2")
    table = {"split_column": "split"}
    refused(
        recipe_of(demo_recipe, folder, split, table=table), "same patient", "split.leakage", ".dcm"
    )
    dropped = build(
        recipe_of(demo_recipe, folder, split.model_copy(update={"leakage": "drop"}), table=table),
        CONSOLE,
    )
    judged = {row["patient_id"] for row in rows if row["split"] == "test"}
    gone = Counter(
        int(row["label"]) for row in rows if row["patient_id"] in judged and row["split"] == "train"
    )
    shared = dropped.findings.shared
    assert {each.kind for each in shared} == {"same patient"}
    assert sum((Counter(each.by_class) for each in shared), Counter()) == gone
    counted = summary(dropped.dataset, dropped.findings)["leakage"]["left out"]
    assert sum(row["images"] for row in counted) == gone.total()
    for each in shared:
        note = f"{each.images} of {each.of} images are of a patient who is in another split: left"
        assert any(f"{each.split}: {note} out" in line for line in dropped.dataset.notes)
        before = each.of - len(dropped.dataset.split(each.split))
        assert before == each.images
    patients = [{s.patient for s in dropped.dataset.split(name)} for name in SPLITS]
    assert not patients[0] & patients[1] | patients[0] & patients[2] | patients[1] & patients[2]


def test_the_same_pixels_in_two_splits(folder: Path, demo_recipe: Recipe) -> None:
    dataset = build(recipe_of(demo_recipe, folder), CONSOLE).dataset
    source, target = dataset.train[0].path, dataset.test[0].path
    other = pydicom.dcmread(target)
    stolen = pydicom.dcmread(source)
    for keyword in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(stolen, keyword, getattr(other, keyword))
    stolen.file_meta.MediaStorageSOPInstanceUID = other.SOPInstanceUID
    rows = rows_of(folder)
    for row in rows:
        if row["sop_uid"] == other.SOPInstanceUID:
            row.update(label=str(dataset.train[0].labels[0]), x0="", y0="", x1="", y1="")
    write_rows(folder, rows)
    stolen.save_as(target)
    refused(recipe_of(demo_recipe, folder), "same pixels: 1 images", str(source), str(target))
    drop = Split(validation=0.3, test=0.3, salt="4", leakage="drop")
    dropped = build(recipe_of(demo_recipe, folder, drop), CONSOLE)
    assert len(dropped.dataset.train) == len(dataset.train) - 1
    assert len(dropped.dataset.test) == len(dataset.test)
    name = ("no finding", "lesion")[dataset.train[0].labels[0]]
    said = f"train: 1 of {len(dataset.train)} images have the pixels of one in another split: "
    assert f"{said}left out ({name} 1)" in text(dropped.dataset, dropped.findings)
    report = drop.model_copy(update={"leakage": "report"})
    kept = build(recipe_of(demo_recipe, folder, report), CONSOLE)
    assert len(kept.dataset.train) == len(dataset.train)
    assert [leak.kind for leak in kept.findings.leaks] == ["same pixels"]
    assert f"{said}kept, as the recipe says ({name} 1)" in kept.dataset.notes
    grouped = drop.model_copy(update={"leakage": "refuse", "group": "near-duplicates"})
    assert not build(recipe_of(demo_recipe, folder, grouped), CONSOLE).findings.leaks


def test_copies_of_an_instance_count_once(folder: Path, demo_recipe: Recipe) -> None:
    shutil.copy(first(folder), folder / "again.dcm")
    (note,) = build(recipe_of(demo_recipe, folder), CONSOLE).dataset.notes
    assert "1 files are copies" in note


def test_a_patient_without_id(folder: Path, demo_recipe: Recipe) -> None:
    edit(first(folder), PatientID="")
    refused(recipe_of(demo_recipe, folder), str(first(folder)), "no PatientID")


@pytest.mark.parametrize(("pattern", "said"), [("(", "no regular"), ("abc", "needs a group")])
def test_a_pattern_that_cannot_work(
    folder: Path, demo_recipe: Recipe, pattern: str, said: str
) -> None:
    labels = PatternLabels(kind="patient-id", pattern=pattern)
    with pytest.raises(ConfigError, match=said):
        build(recipe_of(demo_recipe, folder, labels=labels), CONSOLE)


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


def test_new_uids_are_new_images(folder: Path, demo_recipe: Recipe) -> None:
    copy = Path(shutil.copy(first(folder), folder / "other.dcm"))
    edit(copy, SOPInstanceUID=generate_uid())
    refused(recipe_of(demo_recipe, folder), "other.dcm", "no label")
