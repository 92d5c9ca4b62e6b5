"""From the statistics in a bundle to the score of an image, and to what the node makes of it."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file

from pacs_ai.analysis.predict import Source, predict_study
from pacs_ai.demo.studies import shipped_studies
from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.errors import BundleInvalid, NoFittingSeries, ResultWithheld
from pacs_ai.model.applicability import Applicability
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.outlier import OutlierEntry, Outliers
from pacs_ai.model.predict import Classifier
from pacs_ai.phantom import (
    MODALITIES,
    read_labels,
    write_phantom_collection,
    write_phantom_study,
)

Writer = Callable[..., Path]

SECTION = '[outlier]\nlimit = 2.0\npolicy = "{policy}"\n\n[[classes]]'
CHANNELS = 4


def real_image() -> Path:
    return Path(str(get_testdata_file("CT_small.dcm", download=False)))


def add(folder: Path, statistics: np.ndarray, policy: str = "flag") -> Path:
    np.save(folder / "outlier.npy", statistics)
    digest = hashlib.sha256((folder / "outlier.npy").read_bytes()).hexdigest()
    manifest = folder / "model.toml"
    text = manifest.read_text().replace("[[classes]]", SECTION.format(policy=policy), 1)
    manifest.write_text(f'{text}"outlier.npy" = "{digest}"\n')
    return folder


def test_the_score_is_the_distance_to_the_nearest_group_by_the_limit() -> None:
    means = np.array([[0, 0], [10, 0]], dtype=np.float32)
    whiten = np.diag([1.0, 0.5]).astype(np.float32)  # twice as wide in the second direction
    outliers = Outliers(np.concatenate([means, whiten]), OutlierEntry(limit=2.0))
    features = np.array([[0, 0], [10, 4], [5, 0], [3, 0]], dtype=np.float32)
    assert outliers.score(features) == pytest.approx([0, 1, 2.5, 1.5])


def test_each_group_can_have_a_spread_of_its_own() -> None:
    narrow = np.array([[0, 0], [1, 0], [0, 1]], dtype=np.float32)
    wide = np.array([[10, 0], [0.5, 0], [0, 0.25]], dtype=np.float32)
    outliers = Outliers(np.stack([narrow, wide]), OutlierEntry(limit=2.0))
    features = np.array([[9, 2, 0], [9, 10, 8], [9, 5, 0]], dtype=np.float32)
    assert outliers.channels == 2
    assert outliers.score(features) == pytest.approx([1, 1, 1.25])


def test_a_bundle_without_statistics_cannot_tell(write_bundle: Writer) -> None:
    classifier = Classifier.load(load_bundle(write_bundle()))
    assert classifier.predict_image(np.zeros((16, 16), dtype=np.float32)).outlier is None


def test_an_image_gets_its_score(write_bundle: Writer) -> None:
    statistics = np.concatenate([np.zeros((1, CHANNELS)), np.eye(CHANNELS)]).astype(np.float32)
    classifier = Classifier.load(load_bundle(add(write_bundle(), statistics)))
    pixels = np.random.default_rng(1).uniform(0, 1, (16, 16)).astype(np.float32)
    score = classifier.predict_image(pixels).outlier
    assert score is not None
    assert score > 0


@pytest.mark.parametrize(
    "statistics",
    [
        np.zeros((CHANNELS, CHANNELS), np.float32),
        np.zeros((9, CHANNELS + 1), np.float32),
        np.zeros((9, CHANNELS), np.float64),
        np.full((9, CHANNELS), np.nan, np.float32),
        np.zeros((2, CHANNELS, CHANNELS), np.float32),
        np.zeros((2, CHANNELS + 2, CHANNELS + 1), np.float32),
        np.zeros((0, CHANNELS + 1, CHANNELS), np.float32),
        np.zeros(9, np.float32),
    ],
)
def test_statistics_that_do_not_fit_are_refused(
    write_bundle: Writer, statistics: np.ndarray
) -> None:
    with pytest.raises(BundleInvalid, match=r"outlier\.npy must"):
        load_bundle(add(write_bundle(), statistics))


def test_altered_statistics_are_refused(write_bundle: Writer) -> None:
    folder = add(write_bundle(), np.zeros((9, CHANNELS), np.float32))
    np.save(folder / "outlier.npy", np.ones((9, CHANNELS), np.float32))
    with pytest.raises(BundleInvalid, match="sha256"):
        load_bundle(folder)


def test_section_and_file_belong_together(write_bundle: Writer) -> None:
    folder = write_bundle(manifest=lambda text: text + f'"outlier.npy" = "{"0" * 64}"\n')
    with pytest.raises(BundleInvalid, match="belong together"):
        load_bundle(folder)


@pytest.fixture(scope="module")
def demo() -> Classifier:
    return Classifier.load(load_bundle("demo"))


def test_the_demonstration_tells_phantoms_from_people(demo: Classifier, tmp_path: Path) -> None:
    scores = []
    for number, modality in enumerate(MODALITIES):
        phantom = write_phantom_study(tmp_path / modality, modality, 77 + number, lesion=True)
        scores += [demo.predict_image(read_pixels(path)).outlier or 0.0 for path in phantom.files]
    assert np.mean(np.array(scores) <= 1) >= 0.9
    for name in ("CT_small.dcm", "MR_small.dcm"):
        path = Path(str(get_testdata_file(name, download=False)))
        assert (demo.predict_image(read_pixels(path)).outlier or 0.0) > 1


def test_the_phantom_of_the_demonstration_is_like_those_of_training(
    demo: Classifier, tmp_path: Path
) -> None:
    phantom = shipped_studies(tmp_path)[0]
    sources = [Source(path, number) for number, path in enumerate(phantom.files, 1)]
    assert predict_study(demo, sources).prediction.reservations == ()


@pytest.mark.slow
def test_so_is_each_kind_of_phantom_but_for_the_share_that_the_card_states(
    demo: Classifier, tmp_path: Path
) -> None:
    """Phantoms of a seed that neither training nor evaluation has drawn."""
    write_phantom_collection(tmp_path, 48, 31_415)
    scores: dict[str, list[float]] = {}
    for row in read_labels(tmp_path):
        score = demo.predict_image(read_pixels(tmp_path / row.file)).outlier
        scores.setdefault(f"{row.modality} {row.label}", []).append(score or 9.0)
    every = np.concatenate(list(scores.values()))
    card = (demo.bundle.folder / "MODEL_CARD.md").read_text()
    [stated] = re.findall(r"([\d.]+) % of 2,660 phantoms that it has never seen", card)
    assert len(every) > 200
    assert np.mean(every > 1) < float(stated) / 100 + 0.03
    for kind, some in scores.items():
        assert np.median(some) < 0.85, kind


def test_a_real_image_is_flagged_and_still_answered(demo: Classifier) -> None:
    prediction = predict_study(demo, [Source(real_image(), 1)]).prediction
    assert [one.code.value for one in prediction.reservations] == ["OUTLIER"]
    assert sum(prediction.probabilities) == pytest.approx(1)


def test_a_bundle_can_withhold_instead(demo: Classifier) -> None:
    statistics = np.load(demo.bundle.folder / "outlier.npy")
    strict = Outliers(statistics, OutlierEntry(limit=12.0, policy="withhold"))
    demo = Classifier(replace(demo.bundle, outliers=strict), demo._runtime)
    with pytest.raises(ResultWithheld):
        predict_study(demo, [Source(real_image(), 1)])


def test_a_model_can_refuse_what_it_was_not_made_for(demo: Classifier) -> None:
    adults = Applicability(outside="refuse", age_years=(18, 120))
    picky = Classifier(replace(demo.bundle, applicability=adults), demo._runtime)
    with pytest.raises(NoFittingSeries, match="1 other patient age"):
        predict_study(picky, [Source(real_image(), 1)])
