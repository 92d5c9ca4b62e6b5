import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.phantom import (
    LABELS_FILE,
    MODALITIES,
    PhantomStudy,
    read_labels,
    write_phantom_collection,
    write_phantom_study,
)
from pacs_ai.uids import valid_uid

UNKNOWN = "</(0008,001c)> - Attribute with an even group number is not a recognized"
"""What dicom3tools of 2022 says of Synthetic Data; those of 2026 know it."""


def study_of(folder: Path, modality: str, seed: int = 1, *, lesion: bool = True) -> PhantomStudy:
    return write_phantom_study(folder, modality, seed, lesion=lesion, slices=5, columns=128)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for modality in MODALITIES:
        first = write_phantom_study(tmp_path / "a" / modality, modality, 3, lesion=True)
        second = write_phantom_study(tmp_path / "b" / modality, modality, 3, lesion=True)
        assert [p.read_bytes() for p in first.files] == [p.read_bytes() for p in second.files]
        assert (first.box, first.slice_index) == (second.box, second.slice_index)


def test_another_seed_gives_another_study(tmp_path: Path) -> None:
    first, second = (study_of(tmp_path / str(seed), "CT", seed) for seed in (1, 2))
    assert first.study_uid != second.study_uid
    assert first.patient_id != second.patient_id
    assert not np.array_equal(read_pixels(first.files[0]), read_pixels(second.files[0]))


@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("lesion", [True, False])
def test_images_belong_together_and_say_that_they_are_phantoms(
    tmp_path: Path, modality: str, lesion: bool
) -> None:
    study = study_of(tmp_path, modality, lesion=lesion)
    datasets = [pydicom.dcmread(path) for path in study.files]
    assert len(datasets) == (5 if modality in ("CT", "MR") else 1)
    assert study.lesion is lesion
    for number, ds in enumerate(datasets, start=1):
        assert (ds.StudyInstanceUID, ds.SeriesInstanceUID) == (study.study_uid, study.series_uid)
        assert str(ds.PatientName) == f"PHANTOM^{modality}"
        assert ds.PatientID == study.patient_id
        assert ds.SyntheticData == "YES"
        assert ds.Modality == modality
        assert int(ds.InstanceNumber) == number
        assert valid_uid(ds.SOPInstanceUID)
    assert len({ds.SOPInstanceUID for ds in datasets}) == len(datasets)
    if len(datasets) > 1:
        heights = [float(ds.ImagePositionPatient[2]) for ds in datasets]
        assert np.allclose(np.diff(heights), float(datasets[0].SliceThickness))
        assert len({ds.FrameOfReferenceUID for ds in datasets}) == 1


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_lesion_changes_its_box_and_little_else(tmp_path: Path, modality: str) -> None:
    # The anatomy is drawn before the lesion, so it is the same with and without one.
    for seed in range(4):
        with_lesion = study_of(tmp_path / f"{seed}a", modality, seed)
        without = study_of(tmp_path / f"{seed}b", modality, seed, lesion=False)
        assert with_lesion.box is not None
        x0, y0, x1, y1 = with_lesion.box
        a, b = (
            np.median(read_pixels(study.files[with_lesion.slice_index])[y0:y1, x0:x1])
            for study in (with_lesion, without)
        )
        assert abs(a - b) > 0.08, f"seed {seed}: the lesion does not show"


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_a_lesion_is_on_neighbouring_slices_only(tmp_path: Path, modality: str) -> None:
    study = write_phantom_study(tmp_path, modality, 5, lesion=True, slices=12, columns=128)
    shown = [index for index, image in enumerate(study.images) if image.box is not None]
    assert shown == list(range(shown[0], shown[-1] + 1))
    assert study.slice_index in shown
    assert len(shown) <= 5


def test_boxes_lie_in_the_image(tmp_path: Path) -> None:
    for study in write_phantom_collection(tmp_path, 24, seed=9):
        for image in study.images:
            if image.box is None:
                continue
            rows, columns = read_pixels(image.path).shape
            x0, y0, x1, y1 = image.box
            assert 0 <= x0 < x1 <= columns
            assert 0 <= y0 < y1 <= rows
            assert 0.03 < (x1 - x0) / columns < 0.25


def test_some_radiographs_are_stored_inverted_and_look_the_same(tmp_path: Path) -> None:
    kinds = set()
    for seed in range(8):
        study = study_of(tmp_path / str(seed), "CR", seed)
        kinds.add(str(pydicom.dcmread(study.files[0]).PhotometricInterpretation))
        pixels = read_pixels(study.files[0])
        corner = pixels[: pixels.shape[0] // 8, : pixels.shape[1] // 16].mean()
        assert corner < pixels[-pixels.shape[0] // 6 :].mean(), "air must be darker than the belly"
    assert kinds == {"MONOCHROME1", "MONOCHROME2"}


def test_a_collection_has_labels_and_patients_with_two_studies(tmp_path: Path) -> None:
    studies = write_phantom_collection(tmp_path, 8, seed=1)
    rows = read_labels(tmp_path)
    assert (tmp_path / LABELS_FILE).is_file()
    assert [tmp_path / row.file for row in rows] == [p for study in studies for p in study.files]
    assert [row.label for row in rows] == [
        int(image.box is not None) for study in studies for image in study.images
    ]
    assert {study.modality for study in studies} == set(MODALITIES)
    assert len({study.patient_id for study in studies}) == 6
    assert len({study.study_uid for study in studies}) == 8


def test_a_small_stack_still_holds_its_lesion(tmp_path: Path) -> None:
    for count in (1, 2, 3):
        study = write_phantom_study(tmp_path / str(count), "MR", 1, lesion=True, slices=count)
        assert len(study.files) == count
        assert study.box is not None


@pytest.mark.integration
@pytest.mark.parametrize("modality", MODALITIES)
def test_dciodvfy_finds_no_error(
    tmp_path: Path, modality: str, tool: Callable[[str], Path]
) -> None:
    dciodvfy = tool("dciodvfy")
    for seed in range(3):
        for path in study_of(tmp_path / str(seed), modality, seed).files:
            said = subprocess.run(
                [dciodvfy, "-new", path], capture_output=True, text=True, check=False
            )
            lines = (said.stderr + said.stdout).splitlines()
            assert [line for line in lines if "Error" in line and UNKNOWN not in line] == []
