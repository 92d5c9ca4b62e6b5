"""What a real GPU computes: `pytest -m gpu`, with onnxruntime-gpu in the place of onnxruntime."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.parity import TOLERANCE
from pacs_ai.model.providers import GpuUse, probe, provider_of
from pacs_ai.model.runtime import Runtime

pytestmark = pytest.mark.gpu

IMAGES = 20


def test_images_of_several_studies_are_computed_as_each_alone() -> None:
    """The same bits in any batch; and the values of the processor."""
    bundle = load_bundle("demo")
    use = GpuUse(memory=1 << 30, images=8, wait_seconds=0.01)
    runtime = Runtime(bundle, 1, provider_of("onnxruntime", "cuda:0", use))
    by = runtime.computed_by
    assert (by.device, by.batch, by.instead_of) == ("CUDA", 8, "")
    images = probe(bundle.input, IMAGES)
    each = [images[number : number + 1] for number in range(IMAGES)]
    alone = [runtime.predict(one) for one in each]
    with ThreadPoolExecutor(IMAGES) as pool:
        together = list(pool.map(runtime.predict, each))
    for one, other in zip(alone, together, strict=True):
        assert all(np.array_equal(*kind) for kind in zip(one, other, strict=True))
    wanted, _ = Runtime(bundle).predict(images)
    found = np.concatenate([logits for logits, _ in alone])
    assert np.abs(found - wanted).max() <= TOLERANCE * np.abs(wanted).max()
