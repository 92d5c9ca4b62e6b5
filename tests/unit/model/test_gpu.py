"""A GPU computes batches; what it cannot do, smaller batches or the processor do, and say why.

The GPU is a stand-in (`tests.fake_cuda`). `test_real_gpu` needs a real one.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pacs_ai.errors import RuntimeFailed
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.network import DeviceFailed, lacks_memory
from pacs_ai.model.predict import Classifier
from pacs_ai.model.providers import GpuUse, probe, provider_of
from tests import fake_cuda
from tests.fake_cuda import ILLEGAL_ACCESS, OUT_OF_MEMORY, FakeGpu

DEMO = load_bundle("demo")
EIGHT = GpuUse(images=8)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> FakeGpu:
    return fake_cuda.install(monkeypatch)


def loaded(use: GpuUse = EIGHT, device: str = "cuda:0") -> Classifier:
    return Classifier.load(DEMO, 1, provider_of("onnxruntime", device, use))


def test_it_computes_batches_of_one_shape(gpu: FakeGpu) -> None:
    by = loaded().computed_by
    assert (by.device, by.batch, by.instead_of, by.error) == ("CUDA", 8, "", "")
    assert set(gpu.batches) == {8}


def test_the_library_gets_device_and_limit_of_memory(gpu: FakeGpu) -> None:
    loaded(GpuUse(memory=1 << 30, images=2), "cuda:3")
    [options] = gpu.options
    assert options["device_id"] == "3"
    assert options["gpu_mem_limit"] == str(1 << 30)
    assert options["arena_extend_strategy"] == "kSameAsRequested"


def test_without_a_limit_none_is_set(gpu: FakeGpu) -> None:
    loaded()
    assert "gpu_mem_limit" not in gpu.options[0]


@pytest.mark.parametrize(
    ("holds", "batch", "device"), [(7, 4, "CUDA"), (1, 1, "CUDA"), (0, 1, "CPU")]
)
def test_too_little_memory_halves_the_batch_before_it_leaves_the_gpu(
    gpu: FakeGpu, holds: int, batch: int, device: str
) -> None:
    gpu.holds = holds
    by = loaded().computed_by
    assert (by.device, by.batch, by.error) == (device, batch, "DEVICE_FAILED")
    assert "not enough memory" in by.instead_of


@pytest.mark.usefixtures("gpu")
def test_a_limit_of_memory_halves_it_as_well() -> None:
    limit = 3 * fake_cuda.IMAGE_BYTES
    assert loaded(GpuUse(memory=limit, images=8)).computed_by.batch == 2


def test_batches_that_change_results_are_not_used(gpu: FakeGpu) -> None:
    gpu.blends = True
    by = loaded().computed_by
    assert (by.device, by.batch, by.error) == ("CUDA", 1, "RUNTIME_DIFFERS")
    assert "engine.batch_images = 1" in by.instead_of


@pytest.mark.parametrize("text", OUT_OF_MEMORY)
def test_want_of_memory_at_work_halves_the_batch_and_then_leaves_the_gpu(
    gpu: FakeGpu, text: str
) -> None:
    classifier, seen = loaded(), []
    while classifier.computed_by.device == "CUDA":
        gpu.fault = text
        with pytest.raises(DeviceFailed) as failed:
            classifier.predict_input(probe(DEMO.input), (128, 128))
        gpu.fault = ""
        assert failed.value.memory
        classifier = classifier.after(failed.value)
        seen.append(classifier.computed_by.batch)
    assert seen == [4, 2, 1, 1]
    assert classifier.computed_by.instead_of.startswith("ONNX Runtime")


def test_if_there_is_no_memory_at_all_any_more_the_processor_computes(gpu: FakeGpu) -> None:
    classifier = loaded()
    gpu.holds = 0
    after = classifier.after(DeviceFailed("it lacks memory", memory=True))
    assert (after.computed_by.device, after.computed_by.error) == ("CPU", "DEVICE_FAILED")


def test_any_other_failure_leaves_the_gpu_at_once_and_names_no_host(gpu: FakeGpu) -> None:
    classifier = loaded()
    gpu.fault = ILLEGAL_ACCESS
    with pytest.raises(DeviceFailed) as failed:
        classifier.predict_input(probe(DEMO.input), (128, 128))
    assert not failed.value.memory
    after = classifier.after(failed.value)
    assert after.computed_by.device == "CPU"
    assert "CUDA failure 700" in after.computed_by.instead_of
    assert "ct-room" not in after.computed_by.instead_of
    assert after.identity.runtime.endswith("CPU, fp32")


@pytest.mark.parametrize("works", range(8))
def test_a_gpu_that_fails_at_any_moment_of_the_start_prevents_none(
    gpu: FakeGpu, works: int
) -> None:
    gpu.works = works
    by = loaded().computed_by
    assert (by.device, by.error) == ("CPU", "DEVICE_FAILED")
    assert len(gpu.batches) == works + 1


def test_what_studies_get_does_not_depend_on_what_is_computed_beside_them(gpu: FakeGpu) -> None:
    """Bits, not only values: of an image alone, in a batch with others, and on the processor."""
    images = probe(DEMO.input, 12)
    classifier = loaded(GpuUse(images=8, wait_seconds=0.01))

    def probabilities(of: Classifier, number: int) -> tuple[float, ...]:
        output = of.predict_input(images[number : number + 1], (128, 128))
        return (*output.probabilities, *output.saliency.grid.ravel())

    alone = [probabilities(classifier, number) for number in range(len(images))]
    with ThreadPoolExecutor(len(images)) as pool:
        together = list(pool.map(lambda number: probabilities(classifier, number), range(12)))
    plain = Classifier.load(DEMO)
    assert alone == together == [probabilities(plain, number) for number in range(len(images))]
    assert gpu.batches
    assert np.isfinite(alone).all()


@pytest.mark.parametrize("text", [*OUT_OF_MEMORY, "std::bad_alloc"])
def test_texts_that_mean_want_of_memory(text: str) -> None:
    assert lacks_memory(RuntimeError(text))
    assert not lacks_memory(RuntimeError(ILLEGAL_ACCESS))


def test_it_is_a_failure_of_the_runtime_that_is_tried_again() -> None:
    failure = DeviceFailed("no GPU", memory=False)
    assert isinstance(failure, RuntimeFailed)
    assert failure.retryable
