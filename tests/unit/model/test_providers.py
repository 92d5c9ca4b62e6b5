"""A provider of our own: a network that numpy computes, as docs/extending.md tells."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pacs_ai.errors import BundleInvalid, RuntimeFailed
from pacs_ai.model.bundle import ModelBundle, load_bundle
from pacs_ai.model.network import FEATURES, LOGITS, ComputedBy, Floats
from pacs_ai.model.predict import Classifier
from pacs_ai.model.runtime import Runtime

Writer = Callable[..., Path]


class NumpyNetwork:
    """Features are multiples of the input; logits are their means times the head."""

    computed_by = ComputedBy("numpy", np.__version__)
    inputs = ("image",)
    outputs = (LOGITS, FEATURES)

    def __init__(self, bundle: ModelBundle) -> None:
        self._weights, self._bias = bundle.class_weights.T, bundle.bias

    def compute(self, x: Floats) -> tuple[Floats, Floats]:
        if x.shape[1:] != (16, 16, 1):
            raise RuntimeFailed(f"no image of 16 x 16: {x.shape}")
        features = np.maximum(x * np.arange(len(self._weights), dtype=np.float32), 0)
        return features.mean(axis=(1, 2)) @ self._weights + self._bias, features


def in_numpy(bundle: ModelBundle, threads: int) -> NumpyNetwork:  # noqa: ARG001 - one thread
    return NumpyNetwork(bundle)


def test_a_classifier_runs_on_another_provider(write_bundle: Writer) -> None:
    classifier = Classifier.load(load_bundle(write_bundle()), provider=in_numpy)
    output = classifier.predict_image(np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16))
    assert classifier.identity.runtime == f"numpy {np.__version__}, CPU, fp32"
    assert sum(output.probabilities) == pytest.approx(1.0)
    assert [one.shape for one in output.saliency] == [(16, 16)] * 2


def test_what_any_provider_gives_is_checked(write_bundle: Writer) -> None:
    bundle = load_bundle(write_bundle())
    with pytest.raises(BundleInvalid, match="pooled features"):
        Runtime(bundle, provider=lambda one, _: NumpyNetwork(replace(one, bias=one.bias + 1)))
    with pytest.raises(BundleInvalid, match="input"):
        Runtime(replace(bundle, input=bundle.input.model_copy(update={"width": 32})), 1, in_numpy)
    with pytest.raises(RuntimeFailed, match="finite"):
        Runtime(bundle, 1, in_numpy).predict(np.full((1, 16, 16, 1), np.nan, dtype=np.float32))
