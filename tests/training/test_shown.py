"""Figures of studies count the images that the node shows to the model."""

from dataclasses import replace

import numpy as np
import pytest

from pacs_ai.model.spec import InputSpec
from pacs_ai.phantom import write_phantom_study
from training.data.samples import Sample
from training.evaluate.cases import Question, Scores, by_image, by_study
from training.evaluate.shown import shown_images
from training.statistics.calibration import Calibration

SPEC = InputSpec(
    height=32, width=32, preprocess="letterbox-v1", modalities=("CT",), max_images=9, images="all"
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
    ("choice", "wanted"),
    [
        ("all", [0, 1, 2, 3, 4, 5, 6]),
        ("central-3", [2, 3, 4]),
        ("central-1", [3]),
        ("every-3", [0, 3, 6]),
    ],
)
def test_the_nodes_choice_is_marked_in_every_study(samples, choice, wanted) -> None:
    marks = shown_images(samples, SPEC.model_copy(update={"images": choice}))
    assert marks[0]
    for study in (marks[1:8], marks[8:]):
        assert np.flatnonzero(study).tolist() == wanted


def test_only_shown_images_give_the_probability_and_all_give_the_truth() -> None:
    question = Question(("none", "lesion"), (False, True), "softmax", "max")
    chances = np.array([0.9, 0.1, 0.2, 0.3])
    scores = Scores(
        tuple("abcd"),
        ("p",) * 4,
        ("s",) * 4,
        np.log(np.stack([1 - chances, chances], axis=1)),
        np.array([[False, True], [True, False], [True, False], [True, False]]),
        {},
        np.full((4, 0), -1),
    )
    calibration = Calibration(1.0, (0.5, 0.5))
    images = by_image(scores, question, calibration)
    assert by_study(images, scores).probabilities[0, 1] == pytest.approx(0.9)
    some = replace(scores, shown=np.array([False, True, True, False]))
    study = by_study(images, some)
    assert study.probabilities[0, 1] == pytest.approx(0.2)
    assert study.true_classes.tolist() == [1]


def test_scores_keep_what_is_shown(tmp_path) -> None:
    shown = np.array([True, False])
    empty = np.zeros((2, 2))
    scores = Scores(
        ("a", "b"), ("p", "p"), ("s", "s"), empty, empty > 0, {}, np.full((2, 0), -1), shown
    )
    scores.save(tmp_path / "scores.npz")
    assert Scores.load(tmp_path / "scores.npz").shown.tolist() == [True, False]
    replace(scores, shown=None).save(tmp_path / "scores.npz")
    assert Scores.load(tmp_path / "scores.npz").shown is None
