"""Stands where ONNX Runtime makes sessions, and behaves as a GPU does there: no GPU is needed.

Sessions for the GPU compute on the processor. The errors have the classes and texts of the library.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnxruntime.capi import onnxruntime_pybind11_state as native

CUDA = "CUDAExecutionProvider"
IMAGE_BYTES = 64 << 20
"""Memory that an image takes on the GPU."""

_RUNNING = (
    "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running Conv "
    "node. Name:'conv' Status Message: {}"
)
OUT_OF_MEMORY = [
    _RUNNING.format(
        "bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 939524096"
    ),
    _RUNNING.format("Available memory of 5513472 is smaller than requested bytes of 20751872"),
    _RUNNING.format(
        "CUDA failure 2: out of memory ; GPU=0 ; hostname=ct-room ; expr=cudaMalloc(p, size);"
    ),
    _RUNNING.format("CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0 ; hostname=ct-room"),
]
ILLEGAL_ACCESS = _RUNNING.format(
    "CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; hostname=ct-room ; "
    "file=cuda_call.cc ; line=121 ; expr=cudaStreamSynchronize(stream);"
)

_real = onnxruntime.InferenceSession


class FakeGpu:
    """A GPU, and what a test says of it.

    Attributes
    ----------
    holds
        Images for which it has memory.
    fault
        Text of the error that it fails with from now on.
    works
        Number of runs that succeed; each later one fails.
    blends
        Whether the bits of an image depend on the others of its batch.
    batches
        Number of images of each run.
    options
        What each session was made with.
    """

    def __init__(self) -> None:
        self.holds = 1000
        self.fault = ""
        self.works = 1 << 30
        self.blends = False
        self.batches: list[int] = []
        self.options: list[Mapping[str, str]] = []

    def run(self, real: Any, limit: int, names: Sequence[str], feed: Mapping[str, Any]) -> Any:
        """Compute as `onnxruntime.InferenceSession.run` does."""
        (x,) = feed.values()
        self.batches.append(len(x))
        if self.fault or len(self.batches) > self.works:
            raise native.RuntimeException(self.fault or ILLEGAL_ACCESS)
        if len(x) > min(self.holds, limit):
            raise native.RuntimeException(OUT_OF_MEMORY[0])
        logits, features = real.run(names, feed)
        if self.blends and len(x) > 1 and np.any(x[1:]):
            features = np.nextafter(features, np.float32(np.inf))
        return logits, features


class _Session:
    def __init__(self, gpu: FakeGpu, real: Any, options: Mapping[str, str]) -> None:
        self._gpu, self._real = gpu, real
        self._limit = int(options.get("gpu_mem_limit", 1 << 62)) // IMAGE_BYTES

    def run(self, names: Sequence[str], feed: Mapping[str, Any]) -> Any:
        return self._gpu.run(self._real, self._limit, names, feed)

    def get_providers(self) -> list[str]:
        return [CUDA, "CPUExecutionProvider"]

    def disable_fallback(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def install(monkeypatch: pytest.MonkeyPatch) -> FakeGpu:
    """Let ONNX Runtime have a GPU until the test ends."""
    gpu = FakeGpu()

    def session(content: bytes, options: Any, **more: Any) -> Any:
        real = _real(content, options, providers=["CPUExecutionProvider"])
        if more["providers"][0] != CUDA:
            return real
        gpu.options.append(more["provider_options"][0])
        return _Session(gpu, real, more["provider_options"][0])

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA])
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    return gpu
