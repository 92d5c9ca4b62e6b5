"""A runtime gives the same bits whatever the batch, the number of threads and the repetition."""

import hashlib

import numpy as np
import pytest

from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.installed import missing
from pacs_ai.model.network import Floats
from pacs_ai.model.providers import probe, provider_of
from pacs_ai.model.runtime import Runtime

DEMO = load_bundle("demo")
IMAGES = 5


def digest(arrays: tuple[Floats, Floats]) -> str:
    return hashlib.sha256(b"".join(one.tobytes() for one in arrays)).hexdigest()


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_the_bits_are_the_same(runtime: str) -> None:
    if fault := missing(runtime, "cpu"):
        pytest.skip(fault)
    images = probe(DEMO.input, IMAGES)
    seen, probes = set(), set()
    for threads in (1, 2, 3, 4):
        loaded = Runtime(DEMO, threads, provider_of(runtime, "cpu"))
        assert not loaded.computed_by.instead_of
        probes.add(loaded.probe_sha256)
        for batch in (1, 2, 3, IMAGES):
            parts = [loaded.predict(images[n : n + batch]) for n in range(0, IMAGES, batch)]
            logits, features = (np.concatenate(one) for one in zip(*parts, strict=True))
            seen.add(digest((logits, features)))
    assert len(seen) == len(probes) == 1
