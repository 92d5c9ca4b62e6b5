from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pacs_ai.domain import ImagePrediction, InstanceHeader, ModelIdentity
from pacs_ai.errors import NoFittingSeries, UnsupportedPixels
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier, activate, aggregate
from pacs_ai.model.preprocess import saliency_to_image

Writer = Callable[..., Path]

HEADER = InstanceHeader(Path("x.dcm"), "1", "2", "3", "4", "5")


@pytest.fixture
def classifier(write_bundle: Writer) -> Classifier:
    return Classifier.load(load_bundle(write_bundle()))


@pytest.fixture
def identity(classifier: Classifier) -> ModelIdentity:
    return classifier.identity


def image(*probabilities: float) -> ImagePrediction:
    return ImagePrediction(HEADER, 1, probabilities, np.zeros((2, 4, 4), dtype=np.float32))


def test_an_image_gets_probabilities_and_maps_of_its_own_rectangle(classifier: Classifier) -> None:
    pixels = np.random.default_rng(2).uniform(0, 1, (40, 80)).astype(np.float32)
    output = classifier.predict_image(pixels)
    saliency = np.stack(list(output.saliency))
    assert sum(output.probabilities) == pytest.approx(1.0)
    assert saliency.shape == (2, 8, 16)
    assert saliency.dtype == np.float32
    assert not saliency[0].any(), "a class that is not positive is not explained"
    assert saliency.min() >= 0.0
    assert saliency.max() <= 1.0


def test_the_same_image_gives_the_same_answer(classifier: Classifier) -> None:
    pixels = np.random.default_rng(2).uniform(0, 1, (40, 80)).astype(np.float32)
    first, second = classifier.predict_image(pixels), classifier.predict_image(pixels)
    assert first.probabilities == second.probabilities
    assert np.array_equal(np.stack(list(first.saliency)), np.stack(list(second.saliency)))


def test_maps_are_kept_on_the_grid_and_drawn_one_by_one(classifier: Classifier) -> None:
    pixels = np.random.default_rng(2).uniform(0, 1, (40, 80)).astype(np.float32)
    maps = classifier.predict_image(pixels).saliency
    drawn = saliency_to_image(maps.grid, 40, 80, classifier.bundle.input)
    assert maps.grid.shape == (len(maps), 16, 16)
    assert maps.grid.base is None, "the features of the image are not kept with it"
    for index, one in enumerate(drawn):
        assert maps[index].tobytes() == one.tobytes()


def test_a_colour_image_is_refused(classifier: Classifier) -> None:
    with pytest.raises(UnsupportedPixels):
        classifier.predict_image(np.zeros((4, 4, 3), dtype=np.float32))


def test_activation_and_temperature() -> None:
    logits = np.array([0.0, 2.0], dtype=np.float32)
    assert activate(logits, "softmax", 1.0) == pytest.approx([0.1192, 0.8808], abs=1e-4)
    assert activate(logits, "softmax", 2.0) == pytest.approx([0.2689, 0.7311], abs=1e-4)
    assert activate(logits, "sigmoid", 1.0) == pytest.approx([0.5, 0.8808], abs=1e-4)
    wild = np.array([[-3e38, 3e38]], dtype=np.float32)
    assert activate(wild, "softmax", 0.1).tolist() == [[0.0, 1.0]]
    assert activate(wild, "sigmoid", 0.1) == pytest.approx(np.array([[0.0, 1.0]]))


def test_the_loudest_image_speaks_for_the_study(identity: ModelIdentity) -> None:
    study = aggregate([image(0.9, 0.1), image(0.2, 0.8), image(0.2, 0.8)], identity)
    assert study.decisive == 1
    assert study.probabilities == (0.2, 0.8)
    assert study.positive_classes() == (1,)


def test_mean_and_sigmoid_aggregate_in_their_own_way(identity: ModelIdentity) -> None:
    images = [image(0.9, 0.1), image(0.2, 0.8)]
    mean = aggregate(images, replace(identity, aggregation="mean"))
    assert mean.probabilities == pytest.approx((0.55, 0.45))
    assert mean.decisive == 1
    labels = aggregate(images, replace(identity, activation="sigmoid"))
    assert labels.probabilities == (0.9, 0.8)


def test_an_image_decides_by_the_operating_points_of_its_classes(identity: ModelIdentity) -> None:
    """0.6 may be little for one class, and 0.4 much for another."""
    low, high = (
        replace(entry, positive=True, threshold=threshold)
        for entry, threshold in zip(identity.classes, (0.9, 0.2), strict=True)
    )
    labels = replace(identity, activation="sigmoid", classes=(low, high))
    assert aggregate([image(0.6, 0.1), image(0.1, 0.4)], labels).decisive == 1


def test_no_image_is_no_answer(identity: ModelIdentity, classifier: Classifier) -> None:
    with pytest.raises(NoFittingSeries):
        aggregate([], identity)
    with pytest.raises(NoFittingSeries):
        classifier.aggregate([])
