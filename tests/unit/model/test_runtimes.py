"""Which runtime computes a network, and what takes the place of one that cannot."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from pacs_ai.errors import DeviceUnavailable, RuntimeDiffers, RuntimeFailed
from pacs_ai.model import onnxruntime_provider
from pacs_ai.model.bundle import ModelBundle, load_bundle
from pacs_ai.model.network import ComputedBy, Floats, LoadedNetwork
from pacs_ai.model.onnxruntime_provider import CUDA, TENSORRT, onnx_cpu
from pacs_ai.model.parity import check_parity
from pacs_ai.model.predict import Classifier
from pacs_ai.model.providers import guarded, probe, provider_of
from pacs_ai.model.runtime import Runtime
from pacs_ai.model.self_test import SelfTest

Change = Callable[[Floats, int], Floats]

DEMO = load_bundle("demo")
OFFLINE = """
import sys
def refuse(event, arguments):
    if event.startswith("socket."):
        raise OSError(f"{event} {arguments}")
sys.addaudithook(refuse)
from pathlib import Path
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from pacs_ai.model.providers import provider_of
classifier = Classifier.load(load_bundle("demo"), 1, provider_of("openvino", "cpu"))
assert not classifier.computed_by.instead_of, classifier.computed_by.instead_of
assert not [name for name in sys.modules if "telemetry" in name]
print(classifier.computed_by)
"""


@dataclass
class Altered:
    """A network of ONNX Runtime whose outputs a test changes; counts its calls."""

    inner: LoadedNetwork
    change: Change
    calls: int = 0
    computed_by = ComputedBy("altered", "1")

    @property
    def inputs(self) -> list[str]:
        return list(self.inner.inputs)

    @property
    def outputs(self) -> list[str]:
        return list(self.inner.outputs)

    def compute(self, x: Floats) -> tuple[Floats, Floats]:
        self.calls += 1
        logits, features = self.inner.compute(x)
        return self.change(logits, self.calls), self.change(features, self.calls)


def altered(change: Change) -> Callable[[ModelBundle, int], Altered]:
    return lambda bundle, threads: Altered(onnx_cpu(bundle, threads), change)


def scaled(factor: float) -> Change:
    return lambda values, _: (values * np.float32(factor)).astype(np.float32)


def unstable(values: Floats, calls: int) -> Floats:
    return np.nextafter(values, np.float32(np.inf if calls % 2 else -np.inf))


def failing(*_: object) -> Floats:
    raise RuntimeFailed("no memory on the device")


def with_shape(values: Floats, _: int) -> Floats:
    return values[..., :1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (scaled(1 + 1e-3), "differ by"),
        (scaled(float("nan")), "differ"),
        (unstable, "from run to run"),
        (with_shape, "shape"),
        (failing, "no memory"),
    ],
    ids=["TF32", "no number", "other bits each time", "shape", "fails"],
)
def test_the_reference_takes_the_place_of_one_that_differs(change: Change, said: str) -> None:
    network = guarded(altered(change), "another on cuda:7")(DEMO, 1)
    assert network.computed_by.library == "ONNX Runtime"
    assert network.computed_by.instead_of.startswith("another on cuda:7: ")
    assert said in network.computed_by.instead_of
    plain = Classifier.load(DEMO).identity
    instead = Classifier.load(DEMO, provider=lambda *_: network).identity
    assert instead == plain  # the UIDs are those of what computes


def test_rounding_in_another_order_passes() -> None:
    network = guarded(altered(scaled(1 + 1e-6)), "another")(DEMO, 1)
    assert network.computed_by == ComputedBy("altered", "1")


def test_the_gate_raises_what_differs() -> None:
    reference = onnx_cpu(DEMO, 1)
    with pytest.raises(RuntimeDiffers, match=r"logits differ by .* allowed is 1e-04"):
        check_parity(Altered(reference, scaled(1.01)), reference, probe(DEMO.input))


def test_a_gpu_that_is_not_there_leaves_the_work_to_the_processor() -> None:
    for runtime in ("onnxruntime", "tensorrt"):
        reason = provider_of(runtime, "cuda:0")(DEMO, 1).computed_by.instead_of
        assert reason.startswith(f"{runtime} on cuda:0: ")


@pytest.mark.parametrize("execution", [CUDA, TENSORRT])
def test_a_gpu_whose_driver_does_not_start_is_noticed(
    execution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library then goes on with the processor, and says so only in its own log."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [execution])
    asked = []

    def session(*arguments: object, **more: object) -> onnxruntime.InferenceSession:
        asked.append((more["providers"], more["provider_options"]))
        return real(*arguments, providers=["CPUExecutionProvider"])

    real = onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    with pytest.raises(DeviceUnavailable, match="does not start on GPU 2"):
        onnxruntime_provider.onnx_gpu(DEMO, 1, execution, 2)
    [(providers, options)] = asked
    assert providers[0] == execution
    assert providers[-1] == "CPUExecutionProvider"
    assert [one.get("device_id") for one in options] == ["2"] * (len(options) - 1) + [None]


def test_a_network_with_other_bits_in_a_batch_gets_one_image_at_a_time() -> None:
    def in_batches(values: Floats, _: int) -> Floats:
        return np.nextafter(values, np.float32(np.inf)) if len(values) > 1 else values

    images = probe(DEMO.input, 3)
    plain, other = Runtime(DEMO), Runtime(DEMO, provider=altered(in_batches))
    assert plain.probe_sha256 == other.probe_sha256
    for ours, theirs in zip(plain.predict(images), other.predict(images), strict=True):
        assert np.array_equal(ours, theirs)


def test_another_arithmetic_gives_another_probe() -> None:
    other = Runtime(DEMO, provider=altered(scaled(1 + 1e-6)))
    assert other.probe_sha256 != Runtime(DEMO).probe_sha256


def test_openvino_asks_no_network_and_writes_no_file(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("OpenVINO ")
    assert list(tmp_path.iterdir()) == []


def test_without_openvino_the_reference_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    reason = provider_of("openvino", "cpu")(DEMO, 1).computed_by.instead_of
    assert reason.startswith("openvino on cpu: OpenVINO ")


def test_the_gate_compares_the_images_of_the_self_test() -> None:
    """What differs on radiographs alone is found, though noise is computed alike."""
    grey = np.linspace(0, 255, 128 * 128).reshape(1, 128, 128).astype(np.uint8)
    logits = onnx_cpu(DEMO, 1).compute(SelfTest(grey, probe(DEMO.input)).inputs(DEMO.input))[0]
    tested = replace(DEMO, self_test=SelfTest(grey, logits))

    def differs(values: Floats, _: int) -> Floats:
        of_the_self_test = values.shape == logits.shape and np.array_equal(values, logits)
        return values * np.float32(1.01) if of_the_self_test else values

    assert not guarded(altered(differs), "another")(DEMO, 1).computed_by.instead_of
    assert "differ by" in guarded(altered(differs), "another")(tested, 1).computed_by.instead_of
