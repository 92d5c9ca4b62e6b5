"""Images of several threads meet in batches, and none learns of the others."""

import itertools
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pacs_ai.errors import RuntimeFailed
from pacs_ai.model.batches import BatchedNetwork
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.network import Floats, LoadedNetwork
from pacs_ai.model.onnxruntime_provider import onnx_cpu
from pacs_ai.model.providers import probe

DEMO = load_bundle("demo")
EVER = 3600.0
"""Longer than a test: what does not come together would never end."""


class Counted:
    """A network of ONNX Runtime that notes what it computes at a time, and fails on demand."""

    def __init__(self) -> None:
        self.inner = onnx_cpu(DEMO, 1)
        self.computed_by, self.inputs, self.outputs = (
            self.inner.computed_by,
            self.inner.inputs,
            self.inner.outputs,
        )
        self.seen: list[Floats] = []
        self.fails = False

    def compute(self, x: Floats) -> tuple[Floats, Floats]:
        self.seen.append(x)
        if self.fails:
            raise RuntimeFailed("no more")
        return self.inner.compute(x)


def computed_in_threads(network: LoadedNetwork, groups: Sequence[Floats]) -> list[list[bytes]]:
    """What each of several studies gets that are computed at the same time."""
    together = threading.Barrier(len(groups))

    def study(images: Floats) -> list[bytes]:
        together.wait()
        return [one.tobytes() for one in network.compute(images)]

    with ThreadPoolExecutor(len(groups)) as pool:
        return list(pool.map(study, groups))


def test_studies_of_any_size_get_the_bits_that_they_get_alone() -> None:
    images = probe(DEMO.input, 23)
    bounds = [0, 1, 2, 5, 6, 12, 23]
    groups = [images[a:b] for a, b in itertools.pairwise(bounds)]
    network = Counted()
    found = computed_in_threads(BatchedNetwork(network, 8, 0.01), groups)
    assert {len(one) for one in network.seen} == {8}
    alone = onnx_cpu(DEMO, 1)
    for group, ours in zip(groups, found, strict=True):
        parts = [alone.compute(group[number : number + 1]) for number in range(len(group))]
        assert ours == [np.concatenate(kind).tobytes() for kind in zip(*parts, strict=True)]


def test_a_batch_that_is_full_waits_for_nobody() -> None:
    images, network = probe(DEMO.input, 4), Counted()
    groups = [images[:1], images[1:3], images[3:]]
    assert len(computed_in_threads(BatchedNetwork(network, 4, EVER), groups)) == 3
    [batch] = network.seen
    assert sorted(one.tobytes() for one in batch) == sorted(one.tobytes() for one in images)


def test_what_waits_no_longer_is_filled_up_with_zeros() -> None:
    network = Counted()
    BatchedNetwork(network, 8, 0.0).compute(images := probe(DEMO.input, 3))
    [batch] = network.seen
    assert np.array_equal(batch[:3], images)
    assert batch.shape[0] == 8
    assert not batch[3:].any()


def test_one_group_may_be_larger_than_a_batch() -> None:
    network = Counted()
    images = probe(DEMO.input, 9)
    logits, features = BatchedNetwork(network, 4, 0.0).compute(images)
    assert len(network.seen) == 3
    assert len(logits) == len(features) == 9
    assert np.array_equal(logits, onnx_cpu(DEMO, 1).compute(images)[0])


def test_a_failure_is_that_of_each_study_in_the_batch_and_of_no_later_one() -> None:
    network = Counted()
    batched = BatchedNetwork(network, 2, EVER)
    images = probe(DEMO.input, 2)
    network.fails = True
    together = threading.Barrier(2)

    def fails(number: int) -> str:
        together.wait()
        with pytest.raises(RuntimeFailed) as failed:
            batched.compute(images[number : number + 1])
        return failed.value.message

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(fails, range(2))) == ["no more"] * 2
    network.fails = False
    assert len(batched.compute(images)[0]) == 2
