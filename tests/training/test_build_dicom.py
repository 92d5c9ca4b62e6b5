"""Datasets of DICOM trees: what is found, and what is said about it."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from pacs_ai.errors import DataError
from pacs_ai.phantom import LABELS_FILE, write_phantom_study
from training.data.build import build
from training.data.read import read_input
from training.data.report import text, write_report
from training.data.samples import SPLITS, Sample, patient_key
from training.recipe.data import Crop, DicomData, PhantomData, Split
from training.recipe.label_tables import LabelFile, PatternLabels, TableLabels
from training.recipe.recipe import Recipe

NAMES = {"0": "no finding", "1": "lesion"}
CONSOLE = Console(quiet=True)
SPLIT = Split(validation=0.3, test=0.3, salt="b")


def table(folder: Path, **more: object) -> TableLabels:
    settings = {
        "kind": "table",
        "files": (LabelFile(file=folder / LABELS_FILE),),
        "key": "SOPInstanceUID",
        "key_column": "sop_uid",
        "box_columns": ("x0", "y0", "x1", "y1"),
    }
    return TableLabels(**{**settings, **more})


def recipe_of(recipe: Recipe, data: object, split: Split = SPLIT) -> Recipe:
    return recipe.model_copy(update={"data": data, "split": split})


def tree(folder: Path, **more: object) -> DicomData:
    settings = {"source": "dicom", "folder": folder, "labels": table(folder), "names": NAMES}
    return DicomData(**{**settings, **more})


@pytest.fixture(scope="session")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four studies of as many patients, half of them with a lesion, and their labels."""
    folder = tmp_path_factory.mktemp("collection")
    with (folder / LABELS_FILE).open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["sop_uid", "series", "patient", "study", "label", "x0", "y0", "x1", "y1"])
        for index in range(24):
            study = write_phantom_study(
                folder / f"s{index}",
                ("CT", "MR", "CR", "DX")[index % 4],
                900 + index,
                lesion=index % 8 < 4,
                slices=2,
                patient_id=f"Dx-{'AB'[index % 8 < 4]}{index:04d}",
            )
            for image in study.images:
                rows.writerow(
                    (
                        *(image.sop_uid, study.series_uid, study.patient_id, study.study_uid),
                        *(int(image.box is not None), *(image.box or ("",) * 4)),
                    )
                )
    return folder


@pytest.fixture
def copy(collection: Path, tmp_path: Path) -> Path:
    """The collection, to be damaged."""
    return Path(shutil.copytree(collection, tmp_path / "tree"))


def first_file(folder: Path) -> Path:
    return min(folder.rglob("*.dcm"))


def edit(folder: Path, change: object) -> None:
    """Change every row of the labels."""
    path = folder / LABELS_FILE
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        rows = [change(row) for row in reader]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def all_samples(recipe: Recipe) -> list[Sample]:
    dataset = build(recipe, CONSOLE).dataset
    return [sample for name in SPLITS for sample in dataset.split(name)]


def test_every_image_gets_its_label_box_and_groups(collection: Path, demo_recipe: Recipe) -> None:
    samples = all_samples(recipe_of(demo_recipe, tree(collection)))
    assert len(samples) == len(list(collection.rglob("*.dcm")))
    for sample in samples:
        assert sample.labels == (int(sample.box is not None),)
        assert sample.groups["modality"] in {"CT", "MR", "CR", "DX"}
        assert sample.groups["maker"]
        assert read_input(sample, demo_recipe.input).shape == (128, 128, 1)


def test_no_patient_is_in_two_splits_and_few_move_when_one_is_taken_away(
    copy: Path, demo_recipe: Recipe
) -> None:
    before = build(recipe_of(demo_recipe, tree(copy)), CONSOLE).dataset
    where = {s.patient: name for name in SPLITS for s in before.split(name)}
    assert len(where) == 24
    shutil.rmtree(copy / "s5")
    after = build(recipe_of(demo_recipe, tree(copy)), CONSOLE).dataset
    now = {s.patient: name for name in SPLITS for s in after.split(name)}
    assert len(now) == 23
    assert len(now.items() - where.items()) <= 2
    other = recipe_of(demo_recipe, tree(copy), SPLIT.model_copy(update={"salt": "e"}))
    assert {s.patient: n for n in SPLITS for s in build(other, CONSOLE).dataset.split(n)} != now


@pytest.mark.parametrize(
    ("key", "column"), [("PatientID", "patient"), ("StudyUID", "study"), ("SeriesUID", "series")]
)
def test_labels_may_be_keyed_by_patient_study_or_series(
    copy: Path, demo_recipe: Recipe, key: str, column: str
) -> None:
    edit(
        copy,
        lambda row: {
            column: row[column],
            "label": "lesion" if "B" in row["patient"] else "no finding",
        },
    )
    labels = table(copy, key=key, key_column=column, box_columns=None)
    for sample in all_samples(recipe_of(demo_recipe, tree(copy, labels=labels))):
        assert sample.labels == (int("B" in sample.patient),)


def test_a_key_may_be_part_of_a_path(copy: Path, demo_recipe: Recipe) -> None:
    edit(
        copy,
        lambda row: {"path": f"{row['patient']}/{row['series']}/1.dcm", "label": row["patient"][3]},
    )
    labels = table(
        copy, key="SeriesUID", key_column="path", key_pattern="^[^/]+/([^/]+)/", box_columns=None
    )
    data = tree(copy, labels=labels, names={"A": "no finding", "B": "lesion"})
    assert len(all_samples(recipe_of(demo_recipe, data))) == len(list(copy.rglob("*.dcm")))


def test_a_letter_of_the_patient_id_may_be_the_label(collection: Path, demo_recipe: Recipe) -> None:
    labels = PatternLabels(kind="patient-id", pattern=r"^Dx-([A-Z])")
    data = tree(collection, labels=labels, names={"A": "no finding", "B": "lesion"})
    for sample in all_samples(recipe_of(demo_recipe, data)):
        assert sample.labels == (int("B" in sample.patient),)


def test_part_of_the_patient_id_may_be_the_patient(copy: Path, demo_recipe: Recipe) -> None:
    data = tree(copy, patient_pattern=r"(\d)$")
    patients = {sample.patient for sample in all_samples(recipe_of(demo_recipe, data))}
    assert patients == set("0123456789")


def test_crops_leave_out_what_has_no_box(collection: Path, demo_recipe: Recipe) -> None:
    with pytest.raises(DataError, match=r"one class only: all .* are lesion"):
        build(recipe_of(demo_recipe, tree(collection, crop=Crop())), CONSOLE)


def test_a_crop_is_square_within_the_image_and_keeps_its_box(
    copy: Path, demo_recipe: Recipe
) -> None:
    def half(row: dict[str, str]) -> dict[str, str]:
        box = {"x0": "10", "y0": "20", "x1": "50", "y1": "40"}
        return {**row, **({} if row["x0"] else box)}

    edit(copy, half)
    samples = all_samples(recipe_of(demo_recipe, tree(copy, crop=Crop(margin=0.1))))
    for sample in samples:
        assert sample.crop is not None
        assert sample.box is not None
        x0, y0, x1, y1 = sample.crop
        assert x1 - x0 == y1 - y0
        assert 0 <= sample.box[0] < sample.box[2] <= x1 - x0
        assert read_input(sample, demo_recipe.input).shape == (128, 128, 1)
    small = next(s for s in samples if s.labels == (0,))
    assert small.crop == (6, 6, 54, 54)
    assert small.box == (4.0, 14.0, 44.0, 34.0)


def test_several_readers_vote_and_a_draw_leaves_the_image_out(
    copy: Path, demo_recipe: Recipe
) -> None:
    def vote(row: dict[str, str]) -> dict[str, str]:
        votes = {"a": row["label"], "b": row["label"], "c": "1"}
        if row["patient"].endswith("3"):
            votes = {"a": "0", "b": "1", "c": ""}
        return {"sop_uid": row["sop_uid"], "was": row["label"], **votes}

    edit(copy, vote)
    labels = table(copy, vote_columns=("a", "b", "c"), label_column="", box_columns=None)
    recipe = recipe_of(demo_recipe, tree(copy, labels=labels))
    samples = all_samples(recipe)
    assert not any(sample.patient.endswith("3") for sample in samples)
    (note,) = build(recipe, CONSOLE).dataset.notes
    assert "images left out, no class has most of the votes (the first: " in note
    assert all(sample.votes == (*sample.labels * 2, 1) for sample in samples)


def test_splits_may_be_given_and_validation_is_drawn_from_training(
    copy: Path, demo_recipe: Recipe
) -> None:
    edit(copy, lambda row: {**row, "set": "Test" if int(row["patient"][4:]) > 15 else "train"})
    labels = table(copy, split_column="set")
    split = Split(by="given", validation=0.3, salt="a")
    dataset = build(recipe_of(demo_recipe, tree(copy, labels=labels), split), CONSOLE).dataset
    assert {int(s.patient[4:]) > 15 for s in dataset.test} == {True}
    learning = {s.patient for s in dataset.train} | {s.patient for s in dataset.validation}
    assert {int(patient[4:]) > 15 for patient in learning} == {False}


def test_the_limit_is_of_patients_in_each_split(collection: Path, demo_recipe: Recipe) -> None:
    recipe = recipe_of(demo_recipe, tree(collection)).model_copy(update={"limit": 2})
    dataset = build(recipe, CONSOLE).dataset
    for name in SPLITS:
        assert len({s.patient for s in dataset.split(name)}) == 2
    assert "limited to 2 patients a split" in dataset.notes


def test_series_are_thinned_out_evenly(collection: Path, demo_recipe: Recipe) -> None:
    samples = all_samples(recipe_of(demo_recipe, tree(collection, images_per_series=1)))
    assert len(samples) == len({s.series for s in samples}) == 24


def test_phantoms_are_drawn_once(tmp_path: Path, demo_recipe: Recipe) -> None:
    data = PhantomData(
        source="phantom",
        folder=tmp_path,
        train_studies=8,
        validation_studies=8,
        test_studies=8,
        seed=3,
    )
    first = build(recipe_of(demo_recipe, data), CONSOLE).dataset
    drawn = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.dcm")}
    again = build(recipe_of(demo_recipe, data), CONSOLE).dataset
    assert first == again
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.dcm")} == drawn


def test_the_report_counts_and_names_no_patient(
    collection: Path, demo_recipe: Recipe, tmp_path: Path
) -> None:
    built = build(recipe_of(demo_recipe, tree(collection)), CONSOLE)
    write_report(tmp_path, built.dataset, built.findings, built.pixels)
    raw = (tmp_path / "dataset.json").read_text()
    report = json.loads(raw)
    assert sum(part["images"] for part in report["splits"].values()) == len(report["images"])
    assert report["splits"]["train"]["classes"].keys() == {"no finding", "lesion"}
    for sample in built.dataset.train:
        assert sample.patient not in raw + text(built.dataset, built.findings) + repr(sample)
        assert patient_key(sample.patient) in raw
