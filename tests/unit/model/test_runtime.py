import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from pacs_ai.errors import BundleInvalid, RuntimeFailed
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.runtime import Runtime

Writer = Callable[..., Path]


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (count, 16, 16, 1)).astype(np.float32)


def test_outputs_are_matched_by_name(write_bundle: Writer) -> None:
    bundle = load_bundle(write_bundle())
    logits, features = Runtime(bundle, threads=2).predict(noise(3))
    assert logits.shape == (3, 2)
    assert features.shape == (3, 16, 16, 4)
    pooled = features.mean(axis=(1, 2)) @ bundle.class_weights.T + bundle.bias
    assert np.allclose(logits, pooled, atol=1e-5)


def test_a_network_without_the_named_outputs_is_refused(
    write_bundle: Writer, misnamed_network: bytes
) -> None:
    with pytest.raises(BundleInvalid, match="logits"):
        Runtime(load_bundle(write_bundle(network=misnamed_network)))


def test_a_head_that_is_not_the_networks_own_is_refused(write_bundle: Writer) -> None:
    other = np.random.default_rng(9).standard_normal((5, 2)).astype(np.float32)
    with pytest.raises(BundleInvalid, match="pooled features"):
        Runtime(load_bundle(write_bundle(head=other)))


def test_a_head_of_other_width_is_refused(write_bundle: Writer) -> None:
    wide = np.zeros((9, 2), dtype=np.float32)
    with pytest.raises(BundleInvalid, match="channels"):
        Runtime(load_bundle(write_bundle(head=wide)))


def test_a_network_for_another_size_is_refused(write_bundle: Writer) -> None:
    folder = write_bundle(manifest=lambda text: text.replace("height = 16", "height = 32"))
    with pytest.raises(BundleInvalid, match="input"):
        Runtime(load_bundle(folder))


def test_weights_that_are_no_numbers_are_named(
    write_bundle: Writer, small_network: onnx.ModelProto
) -> None:
    [kernel] = [one for one in small_network.graph.initializer if one.name == "kernel"]
    broken = np.full(tuple(kernel.dims), np.nan, dtype=np.float32)
    kernel.CopyFrom(onnx.numpy_helper.from_array(broken, "kernel"))
    folder = write_bundle(network=small_network.SerializeToString())
    with pytest.raises(BundleInvalid, match="values that are not finite"):
        Runtime(load_bundle(folder))


def test_a_network_that_needs_too_much_memory_is_named(
    write_bundle: Writer, small_network: onnx.ModelProto
) -> None:
    """Its features get zeros all around, four terabytes of them."""
    graph = small_network.graph
    edges = np.array([0, 0, 0, 0, 0, 0, 2**19, 2**19], dtype=np.int64)
    graph.initializer.append(onnx.numpy_helper.from_array(edges, "edges"))
    [pool] = [node for node in graph.node if node.op_type == "GlobalAveragePool"]
    graph.node.insert(
        list(graph.node).index(pool), onnx.helper.make_node("Pad", ["active", "edges"], ["large"])
    )
    pool.input[0] = "large"
    folder = write_bundle(network=small_network.SerializeToString())
    with pytest.raises(BundleInvalid, match="more memory for an image than there is"):
        Runtime(load_bundle(folder))


def test_bytes_that_are_no_graph_are_refused(write_bundle: Writer) -> None:
    with pytest.raises(BundleInvalid, match="does not load"):
        Runtime(load_bundle(write_bundle(network=b"\x3a\x02\x12\x00")))


def test_a_wrong_input_and_values_that_are_not_finite_fail(write_bundle: Writer) -> None:
    runtime = Runtime(load_bundle(write_bundle()))
    with pytest.raises(RuntimeFailed, match="failed"):
        runtime.predict(np.zeros((1, 8, 8, 1), dtype=np.float32))
    with pytest.raises(RuntimeFailed, match="finite"):
        runtime.predict(np.full((1, 16, 16, 1), np.inf, dtype=np.float32))


def test_threads_may_share_one_runtime(write_bundle: Writer) -> None:
    runtime, x = Runtime(load_bundle(write_bundle())), noise(1)
    wanted, got = runtime.predict(x)[0], []
    threads = [threading.Thread(target=lambda: got.append(runtime.predict(x)[0])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8
    assert all(np.array_equal(logits, wanted) for logits in got)
