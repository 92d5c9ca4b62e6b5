import numpy as np
import pytest

from pacs_ai.errors import BundleInvalid
from pacs_ai.model.gradcam import gradcam


def test_it_is_the_gradient_weighted_sum() -> None:
    rng = np.random.default_rng(3)
    features = rng.uniform(0, 1, (4, 5, 6)).astype(np.float32)
    weights = rng.standard_normal(6).astype(np.float32)

    def logit(a: np.ndarray) -> float:
        return float(a.mean(axis=(0, 1)) @ weights.astype(np.float64))

    step = 1e-3
    gradient = np.empty(6)
    for k in range(6):
        moved = features.astype(np.float64)
        moved[:, :, k] += step
        gradient[k] = (logit(moved) - logit(features.astype(np.float64))) / step / (4 * 5)
    wanted = np.maximum(features @ gradient, 0)
    assert np.allclose(gradcam(features, weights), wanted / wanted.max(), atol=1e-5)


def test_it_lies_in_zero_to_one() -> None:
    features = np.zeros((2, 2, 1), dtype=np.float32)
    features[0, 1, 0], features[1, 1, 0] = 4.0, 2.0
    saliency = gradcam(features, np.ones(1, dtype=np.float32))
    assert saliency.dtype == np.float32
    assert saliency.tolist() == [[0.0, 1.0], [0.0, 0.5]]


def test_nothing_for_the_class_is_all_zero() -> None:
    features = np.ones((2, 2, 3), dtype=np.float32)
    assert not gradcam(features, -np.ones(3, dtype=np.float32)).any()


def test_a_head_of_another_width_is_refused() -> None:
    with pytest.raises(BundleInvalid, match="does not fit"):
        gradcam(np.zeros((2, 2, 3), dtype=np.float32), np.zeros(4, dtype=np.float32))
