"""A folder that `pacs-ai export` writes is data for a recipe as it stands."""

import tomllib
from pathlib import Path

import pytest
from rich.console import Console

from pacs_ai.deidentify.instance import deidentify
from pacs_ai.deidentify.profile import Profile
from pacs_ai.deidentify.pseudonyms import Pseudonyms
from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.dicom.writing import part10
from pacs_ai.flow.export.labels import data_section, labels_table
from pacs_ai.phantom import write_phantom_study
from training.data.build import build
from training.data.samples import SPLITS
from training.recipe.data import DicomData, Split
from training.recipe.recipe import Recipe

PSEUDONYMS = Pseudonyms(b"a secret of tests")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copies of 24 studies of twelve patients, half of them with a lesion."""
    source, folder = (tmp_path_factory.mktemp(name) for name in ("source", "export"))
    labels = []
    for number in range(24):
        modality, patient = ("CT", "MR", "CR", "DX")[number % 4], f"P{number // 2}"
        lesion = number // 2 % 2 == 1
        study = write_phantom_study(
            source / str(number),
            modality,
            700 + number,
            lesion=lesion,
            slices=2,
            patient_id=patient,
        )
        for image in study.images:
            copy = deidentify(image.path, patient, Profile(), PSEUDONYMS)
            target = folder / "images" / str(copy.PatientID) / str(copy.StudyInstanceUID)
            target.mkdir(parents=True, exist_ok=True)
            (target / f"{copy.SOPInstanceUID}.dcm").write_bytes(part10(copy))
        label = "lesion" if lesion else "no finding"
        labels.append((copy.StudyInstanceUID, copy.PatientID, {"label": label}))
    table = labels_table(labels)
    (folder / "labels.csv").write_text(table)
    (folder / "data.toml").write_text(data_section(table))
    return folder


def test_it_is_read_and_split_by_patient(exported: Path, demo_recipe: Recipe) -> None:
    section = tomllib.loads((exported / "data.toml").read_text())["data"]
    section["folder"] = exported / section["folder"]
    section["labels"]["files"][0]["file"] = exported / section["labels"]["files"][0]["file"]
    split = Split(validation=0.3, test=0.3, salt="b")
    recipe = demo_recipe.model_copy(
        update={"data": DicomData.model_validate(section), "split": split}
    )
    dataset = build(recipe, Console(quiet=True)).dataset
    patients = [{sample.patient for sample in dataset.split(name)} for name in SPLITS]
    assert sum(map(len, patients)) == len(set.union(*patients)) == 12
    assert {sample.labels for name in SPLITS for sample in dataset.split(name)} == {(0,), (1,)}
    assert sum(len(dataset.split(name)) for name in SPLITS) == 36
    assert read_pixels(min(exported.rglob("*.dcm"))).ndim == 2
