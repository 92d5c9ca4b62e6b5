"""The shipped demonstration model: whole, small, quick, and as good as its card says."""

import time
from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file

from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.model.bundle import load_bundle, shipped_bundles
from pacs_ai.model.predict import Classifier
from pacs_ai.phantom import MODALITIES, PhantomStudy, write_phantom_study

LESION = 1
STUDIES_EACH = 12
SEED = 424_242


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(load_bundle("demo"))


def test_it_is_shipped_and_small() -> None:
    assert "demo" in shipped_bundles()
    folder = load_bundle("demo").folder
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 6_000_000
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "NOT FOR CLINICAL USE" in card.splitlines()[2]


def test_it_takes_what_the_node_receives() -> None:
    bundle = load_bundle("demo")
    assert bundle.input.modalities == ("CT", "MR", "CR", "DX")
    codes = [(c.code.value, c.code.scheme, c.positive) for c in bundle.identity.classes]
    assert codes == [("NOFIND", "99PACSAI", False), ("52988006", "SCT", True)]


def test_it_loads_quickly() -> None:
    Classifier.load(load_bundle("demo"))
    start = time.process_time()  # the processor's time: other work on the machine does not count
    Classifier.load(load_bundle("demo"))
    assert time.process_time() - start < 0.3


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm"])
def test_real_images_get_an_answer(classifier: Classifier, name: str) -> None:
    pixels = read_pixels(Path(get_testdata_file(name, download=False)))
    output = classifier.predict_image(pixels)
    assert sum(output.probabilities) == pytest.approx(1.0)
    assert [one.shape for one in output.saliency] == [(128, 128)] * 2
    assert all(np.isfinite(one).all() for one in output.saliency)


def loudest(classifier: Classifier, study: PhantomStudy) -> tuple[float, bool]:
    """The highest probability of a lesion, and whether that image's map peaks in its box."""
    answers = []
    for image in study.images:
        pixels = read_pixels(image.path)
        output = classifier.predict_image(pixels)
        probabilities, saliency = output.probabilities, output.saliency[LESION]
        at = np.unravel_index(int(np.argmax(saliency)), saliency.shape)
        y, x = ((at[axis] + 0.5) / saliency.shape[axis] * pixels.shape[axis] for axis in (0, 1))
        x0, y0, x1, y1 = image.box or (0, 0, 0, 0)
        answers.append((probabilities[LESION], x0 <= x < x1 and y0 <= y < y1))
    return max(answers)


def test_it_finds_lesions_of_phantoms_it_has_never_seen(
    classifier: Classifier, tmp_path: Path
) -> None:
    found: dict[bool, list[tuple[float, bool]]] = {True: [], False: []}
    for number in range(STUDIES_EACH * len(MODALITIES)):
        lesion = number % 8 < 4
        folder = tmp_path / str(number)
        modality = MODALITIES[number % len(MODALITIES)]
        study = write_phantom_study(folder, modality, SEED + number, lesion=lesion, slices=4)
        found[lesion].append(loudest(classifier, study))
    threshold = classifier.identity.classes[LESION].threshold
    right = [p >= threshold for p, _ in found[True]] + [p < threshold for p, _ in found[False]]
    assert np.mean(right) >= 0.9
    assert np.mean([points for _, points in found[True]]) >= 0.8
