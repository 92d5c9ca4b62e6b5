"""The same studies through ``evaluate`` and ``infer``: the same probabilities of every study."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset as Elements
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from tests.training.commands import finish, start
from tests.training.toys import KINDS, SIDE, SQUARE, toy_network, toy_recipe
from training.bundle.export import export
from training.data import build_dataset
from training.data.read import fit_sample
from training.data.samples import Sample
from training.evaluate import evaluate
from training.evaluate.publish import STUDIES
from training.recipe.recipe import load_recipe
from training.recipe.toml import dumps
from training.run.run import Run

pytestmark = pytest.mark.train

AXIAL, CORONAL = [1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, -1]
SPLITS = ("train", "validation", "test", "test")
PATIENTS = 24
DICOM = """source = "dicom"
folder = "data"
unlabelled = "drop"
unreadable = "drop"
[data.labels]
kind = "table"
files = [{ file = "labels.csv" }]
key = "SOPInstanceUID"
key_column = "image"
split_column = "split"
[split]
by = "given"
leakage = "report"
"""


def picture(seed: int, kind: str) -> np.ndarray:
    rng = np.random.default_rng(seed)
    grey = rng.normal(128, 12, (SIDE, SIDE))
    if kind != "empty":
        y, x = rng.integers(4, SIDE - SQUARE - 4, 2)
        grey[y : y + SQUARE, x : x + SQUARE] += 40 if kind == "bright" else -40
    return np.clip(grey, 0, 255).astype(np.uint8)


def write(path: Path, pixels: np.ndarray, uid: str, number: int, **values: object) -> str:
    """Write one MR image without a window."""
    made = Elements()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = MRImageStorage
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = uid
    made.Modality, made.PatientName, made.StudyID = "MR", "A^B", "1"
    made.PatientBirthDate, made.PatientSex, made.AccessionNumber = "", "O", "1"
    made.StudyDate, made.StudyTime, made.InstanceNumber = "20260101", "1200", number
    made.ImageType, made.ImageOrientationPatient = ["ORIGINAL", "PRIMARY", "M"], AXIAL
    made.ImagePositionPatient, made.PixelSpacing = [0, 0, number * 3], [1, 1]
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.Rows, made.Columns = pixels.shape
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 8, 8, 7, 0
    made.PixelData = pixels.tobytes()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    made.save_as(path, enforce_file_format=True)
    return uid


def write_study(folder: Path, patient: int) -> list[tuple[str, str]]:
    """Write a study of two series, and return the labels of its images.

    The longer series has more slices than the model is shown, a slice without label, one that
    cannot be decoded, a localizer and a slice of another orientation.
    """
    kinds = [KINDS[(patient // 4 + k) % 3] for k in (0, 0, 1)]
    study, labels = f"1.2.{patient}", []
    images = [
        *((1, number, kinds[number % 3], {}) for number in range(1, 8)),
        (1, 8, "bright", {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}),
        (1, 9, "dark", {"ImageOrientationPatient": CORONAL}),
        *((2, number, "dark", {}) for number in range(1, 4)),
    ]
    for series, number, kind, more in images:
        uid = f"{study}.{series}.{number}"
        path = folder / f"{uid}.dcm"
        pixels = picture(1000 * patient + 100 * series + number, kind)
        broken = {"PixelData": b"\0" * 8} if (series, number) == (1, 4) else {}
        write(
            path,
            pixels,
            uid,
            number,
            PatientID=f"P{patient}",
            StudyInstanceUID=study,
            SeriesInstanceUID=f"{study}.{series}",
            SeriesNumber=series,
            **more,
            **broken,
        )
        if (series, number) != (1, 3):
            labels.append((uid, kind))
    return labels


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory) -> tuple[Run, Path, Path]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "data").mkdir()
    rows = [("image", "label", "split")]
    for patient in range(PATIENTS):
        rows += [(*row, SPLITS[patient % 4]) for row in write_study(folder / "data", patient)]
    with (folder / "labels.csv").open("w") as file:
        csv.writer(file).writerows(rows)
    toy_recipe(folder)
    text = (folder / "toy.toml").read_text()
    text = text.replace('source = "pictures"\nfolder = "."\n', DICOM)
    text = text.replace(
        'modalities = ["OT"]\nmax_images = 8', 'modalities = ["MR"]\nmax_images = 5'
    )
    (folder / "toy.toml").write_text(text)
    recipe = load_recipe(folder / "toy.toml")
    run = Run.create(recipe, folder / "run")
    dataset, network = build_dataset(recipe, run), toy_network(recipe)
    result = evaluate(run, recipe, dataset, network)
    bundle = export(run, recipe, dataset, network, result.calibration)
    return run, bundle, folder


def infer(bundle: Path, data: Path) -> dict[str, dict[str, float]]:
    printed = finish(start(data, "infer", data, "--model", bundle, "--json"))
    return {
        study["study_instance_uid"]: {
            each["class"]: each["probability"] for each in study["classes"]
        }
        for study in json.loads(printed)
    }


def test_a_study_has_one_probability(evaluated) -> None:
    run, bundle, folder = evaluated
    served = infer(bundle, folder / "data")
    with (run.evaluation / STUDIES).open() as file:
        judged = list(csv.DictReader(file))
    assert len(judged) == PATIENTS // 2
    several = 0
    for study in judged:
        answer = served[study["study instance UID"]]
        for name in KINDS:
            assert float(study[f"probability of {name}"]) == pytest.approx(answer[name], abs=2e-5)
        several += answer["bright"] > 0.4 and answer["dark"] > 0.4
    assert several, "no study has two findings"
    notes = json.loads((run.evaluation / "figures.json").read_text())["set"]["notes"]
    assert any("12 images without a label" in note for note in notes)


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
@pytest.mark.parametrize("eight_bits", [None, "stretched"])
def test_a_picture_and_its_dicom_image_are_one_input(
    tmp_path: Path, eight_bits: str | None, photometric: str
) -> None:
    """A dim picture: stretched or not makes a difference, and both have to do the same."""
    dim = picture(3, "bright") // 3 + 40
    Image.fromarray(dim).save(tmp_path / "x.png")
    stored = 255 - dim if photometric == "MONOCHROME1" else dim
    write(tmp_path / "x.dcm", stored, "1.2.3", 1, PhotometricInterpretation=photometric)
    recipe = toy_recipe(tmp_path)
    spec = recipe.input.model_copy(update={"eight_bits": eight_bits or recipe.input.eight_bits})
    assert spec.full_range is (eight_bits is None)
    shown = [fit_sample(Sample(tmp_path / name, "p", (0,)), spec)[0] for name in ("x.png", "x.dcm")]
    assert np.abs(shown[0] - shown[1]).max() < 1e-5
    assert bool(np.ptp(shown[0]) > 0.9) is bool(eight_bits)


@pytest.mark.parametrize("eight_bits", [None, "stretched"])
@pytest.mark.parametrize(("factor", "bits", "suffix"), [(11, 12, "png"), (200, 16, "tif")])
def test_a_picture_of_sixteen_bits_and_its_dicom_image_are_one_input(
    tmp_path: Path, factor: int, bits: int, suffix: str, eight_bits: str | None
) -> None:
    """One pixel is far brighter than the others: their extremes would make it dark."""
    stored = picture(3, "bright").astype(np.uint16) * factor
    stored[5, 5] = 2**bits - 1
    Image.fromarray(stored).save(tmp_path / f"x.{suffix}")
    depth = {"BitsAllocated": 16, "BitsStored": bits, "HighBit": bits - 1}
    write(tmp_path / "x.dcm", stored, "1.2.3", 1, **depth)
    recipe = toy_recipe(tmp_path)
    spec = recipe.input.model_copy(update={"eight_bits": eight_bits or recipe.input.eight_bits})
    names = (f"x.{suffix}", "x.dcm")
    shown = [fit_sample(Sample(tmp_path / name, "p", (0,)), spec)[0] for name in names]
    assert np.array_equal(shown[0], shown[1])


def test_the_bundle_says_how_its_network_saw_eight_bits(evaluated, tmp_path: Path) -> None:
    bundle = evaluated[1]
    assert "eight_bits" not in (bundle / "model.toml").read_text()  # it learned from DICOM
    assert 'eight_bits = "full-range"' in dumps(toy_recipe(tmp_path).model_dump())
