"""Figures of studies count the images that the node shows to the model, and no others."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pydicom
import pytest

from pacs_ai.model.applicability import EVERYTHING
from pacs_ai.model.spec import InputSpec
from pacs_ai.phantom import write_phantom_study
from pacs_ai.statistics.cases import Question
from training.data.samples import Sample
from training.evaluate.cases import Scores, by_image, by_study
from training.evaluate.results import units_of
from training.evaluate.served import served_images
from training.statistics.calibration import Calibration

SPEC = InputSpec(
    height=32, width=32, preprocess="letterbox-v1", modalities=("CT",), max_images=9, images="all"
)


def recipe_of(**values):
    return SimpleNamespace(
        input=SPEC.model_copy(update=values),
        feeding=SimpleNamespace(workers=1),
        export=SimpleNamespace(applicability=EVERYTHING),
    )


@pytest.fixture(scope="module")
def samples(tmp_path_factory) -> list[Sample]:
    """Two studies of seven slices and one picture, the slices in the wrong order."""
    found = [Sample(path=tmp_path_factory.mktemp("p") / "a.png", patient="p", labels=(0,))]
    for seed in (1, 2):
        folder = tmp_path_factory.mktemp("study")
        study = write_phantom_study(folder, "CT", seed, lesion=False, slices=7, columns=64)
        found += [
            Sample(path=path, patient=study.patient_id, labels=(0,), study=study.study_uid)
            for path in reversed(study.files)
        ]
    return found


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({}, [6, 5, 4, 3, 2, 1, 0]),
        ({"images": "central-3"}, [-1, -1, 2, 1, 0, -1, -1]),
        ({"images": "central-1"}, [-1, -1, -1, 0, -1, -1, -1]),
        ({"images": "every-3"}, [2, -1, -1, 1, -1, -1, 0]),
        ({"max_images": 2}, [-1, 1, -1, -1, -1, 0, -1]),
        ({"modalities": ("MR",)}, [-1] * 7),
    ],
)
def test_the_nodes_choice_is_marked_in_every_study(samples, values, wanted) -> None:
    served = served_images(samples, {}, recipe_of(**values))
    assert served.places[0] >= 0
    assert not served.added
    for study in (served.places[1:8], served.places[8:]):
        assert study.tolist() == wanted


def test_images_without_a_label_count_if_the_node_can_read_them(samples, tmp_path) -> None:
    files = sorted(sample.path for sample in samples[1:8])
    broken = pydicom.dcmread(files[1])
    broken.PixelData = broken.PixelData[:40]
    broken.save_as(tmp_path / "broken.dcm")
    (tmp_path / "none.dcm").write_bytes(b"no DICOM")
    known = samples[1:4]  # the last three slices
    paths = (files[0], tmp_path / "broken.dcm", tmp_path / "none.dcm", *files[2:])
    served = served_images(known, {known[0].study: paths}, recipe_of())
    assert [sample.path for sample in served.added] == [files[0], files[2], files[3]]
    assert served.places.tolist() == [6, 5, 4, 0, 2, 3]
    assert {(sample.labels, sample.patient) for sample in served.added} == {((), known[0].patient)}


def test_a_part_of_an_image_is_not_what_the_node_shows(samples) -> None:
    part = replace(samples[1], crop=(0, 0, 32, 32))
    served = served_images([part], {}, recipe_of())
    assert served.places.tolist() == [-1, 0]
    assert served.added[0].crop is None


QUESTION = Question(("none", "lesion"), (False, True), "softmax", "max")
CALIBRATION = Calibration(1.0, (0.5, 0.5))


def scores_of(chances) -> Scores:
    chances = np.array(chances)
    n = len(chances)
    return Scores(
        tuple("abcdef"[:n]),
        ("p",) * n,
        ("s",) * n,
        np.log(np.stack([1 - chances, chances], axis=1)),
        np.array([[k > 0, k == 0] for k in range(n)]),
        {},
        np.full((n, 0), -1),
    )


def test_only_shown_images_give_the_probability_and_all_give_the_truth() -> None:
    scores = scores_of([0.9, 0.1, 0.2, 0.3])
    assert by_study(scores, QUESTION, CALIBRATION).probabilities[0, 1] == pytest.approx(0.9)
    some = replace(scores, places=np.array([-1, 1, 0, -1]))
    study = by_study(some, QUESTION, CALIBRATION)
    assert study.probabilities[0, 1] == pytest.approx(0.2)
    assert study.true_classes.tolist() == [1]
    added = replace(scores, added=1)
    assert by_study(added, QUESTION, CALIBRATION).probabilities[0, 1] == pytest.approx(0.9)
    assert by_image(added, QUESTION, CALIBRATION).keys == ("a", "b", "c")


def test_a_study_without_an_answer_is_in_no_figure_of_studies() -> None:
    scores = replace(scores_of([0.9, 0.1]), units=("s", "t"), places=np.array([0, -1]))
    assert units_of(scores) == ("image", "study")
    assert by_study(scores, QUESTION, CALIBRATION).keys == ("s",)
    assert units_of(replace(scores, places=np.array([-1, -1]))) == ("image",)
    assert units_of(replace(scores, places=np.array([0, 0]))) == ("image",)


def test_scores_keep_what_is_shown(tmp_path) -> None:
    scores = replace(scores_of([0.9, 0.1]), places=np.array([-1, 0]), added=1)
    scores.save(tmp_path / "scores.npz")
    loaded = Scores.load(tmp_path / "scores.npz")
    assert (loaded.places.tolist(), loaded.added) == ([-1, 0], 1)
    replace(scores, places=None).save(tmp_path / "scores.npz")
    assert Scores.load(tmp_path / "scores.npz").places is None
