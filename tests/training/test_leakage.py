"""Splits that share patients or pixels, and splits that are too small."""

from collections import Counter
from pathlib import Path

import pydicom

from tests.training.damage import CONSOLE, recipe_of, refused, rows_of, write_rows
from training.data.build import build
from training.data.report import summary, text
from training.data.samples import SPLITS
from training.recipe.data import Split
from training.recipe.recipe import Recipe


def test_a_split_too_small(folder: Path, demo_recipe: Recipe) -> None:
    split = Split(validation=0.3, test=0.0)
    refused(recipe_of(demo_recipe, folder, split), "the test split holds 0", "split.salt")


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
