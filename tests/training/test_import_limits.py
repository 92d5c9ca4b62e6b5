"""A network of unknown origin that is built to hurt costs its import, and says why."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from pacs_ai.errors import BundleInvalid, ConfigError
from tests.training import foreign_networks as nets
from tests.training.test_import import made
from training.cli.importing import memory_limit
from training.foreign.limits import within_limits

pytestmark = pytest.mark.train

ENOUGH = {"seconds": 120.0, "memory": 4 << 30}


def sleep(seconds: float) -> None:
    signal.sigtimedwait([], seconds)


def refuse(said: str) -> None:
    raise ConfigError(said)


def fill(megabytes: int) -> int:
    return len(np.ones(megabytes << 20, np.uint8))


def test_what_a_function_gives_and_raises_comes_back() -> None:
    assert within_limits(fill, 1, **ENOUGH) == 1 << 20
    with pytest.raises(ConfigError, match="not that"):
        within_limits(refuse, "not that", **ENOUGH)


@pytest.mark.parametrize(
    ("work", "given", "limits", "said"),
    [
        (sleep, 600.0, {"seconds": 0.5}, "within 0.5 seconds"),
        (fill, 3000, {"memory": 2 << 30}, "more than 2048 MiB"),
        (os._exit, 3, {}, "exit code 3"),
        (signal.raise_signal, signal.SIGKILL, {}, "SIGKILL"),
    ],
    ids=["time", "memory", "exit", "crash"],
)
def test_what_needs_too_much_or_crashes_is_ended(work, given, limits, said) -> None:
    with pytest.raises(BundleInvalid, match=said):
        within_limits(work, given, **{**ENOUGH, **limits})


def circle(net: nets.Builder) -> str:
    net.nodes += [nets.helper.make_node("Identity", [a], [b]) for a, b in (("a", "b"), ("b", "a"))]
    return "a"


def circle_of_weights(net: nets.Builder) -> str:
    flat = net.add("Flatten", net.add("GlobalAveragePool", net.convolved("image")))
    return net.add("MatMul", flat, circle(net))


@pytest.mark.parametrize("ending", [circle, circle_of_weights])
def test_a_graph_in_a_circle_is_refused(ending, tmp_path: Path) -> None:
    net = nets.Builder()
    network = net.save(tmp_path / "net.onnx", {ending(net): nets.ROWS})
    with pytest.raises(BundleInvalid, match="not a network in order"):
        made(network, activation="softmax")


def test_a_long_chain_of_sums_is_followed_to_its_end(tmp_path: Path) -> None:
    net = nets.Builder()
    flat = net.add("Flatten", net.add("GlobalAveragePool", net.convolved("image")))
    scores = net.dense(flat)
    for _ in range(1500):
        scores = net.add("Add", scores, net.value(np.full(nets.CLASSES, 1e-3)))
    found = made(net.save(tmp_path / "net.onnx", {scores: nets.ROWS}), activation="softmax")
    assert found.unexplained == ""


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"shape": (4, 3, nets.SIDE, nets.SIDE)}, "takes 4 images at once"),
        ({"opset": 6}, "has version 6 of the ONNX operators"),
    ],
)
def test_what_cannot_be_served_is_said_with_what_to_do(said, message, tmp_path: Path) -> None:
    net = nets.Builder()
    flat = net.add("Flatten", net.add("GlobalAveragePool", net.convolved("image")))
    network = net.save(tmp_path / "net.onnx", {net.dense(flat): nets.ROWS}, **said)
    with pytest.raises((BundleInvalid, ConfigError), match=f"{message}.*export it"):
        made(network, activation="softmax")


def test_a_keras_file_may_take_what_its_conversion_needs(tmp_path: Path) -> None:
    """The conversion of a ResNet50 was measured: 7.3 GB for a file of 98 MB."""
    network = tmp_path / "resnet50.keras"
    with network.open("wb") as file:
        file.truncate(98_000_000)
    assert memory_limit(network) > 1.5 * 7.3e9
    assert memory_limit(network.rename(network.with_suffix(".onnx"))) < 6e9
