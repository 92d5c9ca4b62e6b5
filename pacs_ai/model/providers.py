"""Which provider the configuration chooses, and what computes where that one cannot."""

import contextlib
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from pacs_ai.errors import PacsAIError, RuntimeDiffers
from pacs_ai.model.batches import BatchedNetwork
from pacs_ai.model.bundle import ModelBundle
from pacs_ai.model.network import (
    FEATURES,
    LOGITS,
    DeviceFailed,
    Floats,
    LoadedNetwork,
    Provider,
)
from pacs_ai.model.onnxruntime_provider import (
    CUDA,
    TENSORRT,
    OnnxNetwork,
    onnx_cpu,
    onnx_gpu,
)
from pacs_ai.model.openvino_provider import openvino_cpu
from pacs_ai.model.parity import check_parity
from pacs_ai.model.spec import InputSpec

_PROBE_SEED = 20240102


@dataclass(frozen=True, slots=True)
class GpuUse:
    """How a GPU is used.

    Parameters
    ----------
    memory
        Bytes that a network may use there; None for all.
    images
        Images that are computed at a time.
    wait_seconds
        For how long an image waits for others; see `pacs_ai.model.batches`.
    """

    memory: int | None = None
    images: int = 1
    wait_seconds: float = 0.0


_PLAIN_USE = GpuUse()


def provider_of(runtime: str, device: str, use: GpuUse = _PLAIN_USE) -> Provider:
    """Return the provider of a configuration.

    Parameters
    ----------
    runtime
        ``onnxruntime``, ``openvino`` or ``tensorrt``.
    device
        ``cpu``, or ``cuda:N``.
    use
        How a GPU is used.

    Returns
    -------
    Provider
        The reference (ONNX Runtime on the processor) for ``onnxruntime`` on ``cpu``. Any other one
        is compared with the reference when it loads a network. If it cannot load it, or computes
        something else, the reference takes its place, and `ComputedBy.instead_of` says why. A GPU
        that cannot compute the batches of `use` gets smaller ones, and that is said there, too.
    """
    name = f"{runtime} on {device}"
    if runtime == "openvino":
        return guarded(openvino_cpu, name)
    if device == "cpu":
        return onnx_cpu
    execution = TENSORRT if runtime == "tensorrt" else CUDA
    number = int(device.removeprefix("cuda:"))
    chosen = partial(onnx_gpu, execution=execution, device=number, memory=use.memory)
    return guarded(chosen, name, use)


def guarded(chosen: Provider, name: str, use: GpuUse = _PLAIN_USE) -> Provider:
    """Return a provider that gives the reference where the chosen one fails or differs.

    Parameters
    ----------
    chosen
        The provider to try first.
    name
        What it is called in `ComputedBy.instead_of`.
    use
        The batches in which it computes.
    """

    def load(bundle: ModelBundle, threads: int) -> LoadedNetwork:
        reference = onnx_cpu(bundle, threads)
        try:
            network = chosen(bundle, threads)
            if use.images > 1:
                network = _in_batches(network, bundle, use, name)
            for image in _samples(bundle):
                check_parity(network, reference, image)
        except PacsAIError as error:
            return _instead(reference, name, error)
        return network

    return load


def after(failure: DeviceFailed, failed: LoadedNetwork) -> Provider:
    """Return what computes after a GPU has failed at work.

    That is the same network in batches of half the images, if it lacks memory; else the reference.
    """
    name = failed.computed_by.with_batch

    def load(bundle: ModelBundle, threads: int) -> LoadedNetwork:
        if failure.memory and isinstance(failed, BatchedNetwork) and failed.images > 1:
            half = GpuUse(images=failed.images // 2, wait_seconds=failed.wait_seconds)
            with contextlib.suppress(PacsAIError):
                return _instead(_in_batches(failed.network, bundle, half, name), name, failure)
        return _instead(onnx_cpu(bundle, threads), name, failure)

    return load


def _in_batches(
    network: LoadedNetwork, bundle: ModelBundle, use: GpuUse, name: str
) -> BatchedNetwork:
    """Compute in the largest batches for which there is memory, and that change no result."""
    batched = BatchedNetwork(network, use.images, use.wait_seconds)
    lost: PacsAIError | None = None
    while batched.images > 1:
        try:
            _check_places(batched, bundle)
            break
        except DeviceFailed as failure:
            if not failure.memory:
                raise
            lost, images = failure, batched.images // 2
        except RuntimeDiffers as error:
            lost, images = error, 1
        batched = BatchedNetwork(network, images, use.wait_seconds)
    return batched if lost is None else _instead(batched, name, lost)


def _check_places(batched: BatchedNetwork, bundle: ModelBundle) -> None:
    """Refuse batches in which the bits of an image depend on its place or on the others."""
    images = probe(bundle.input, batched.images)
    together, alone = batched.compute(images), batched.compute(images[:1])
    moved = batched.compute(np.roll(images, 1, axis=0))
    for kind, first, second, third in zip((LOGITS, FEATURES), together, moved, alone, strict=True):
        if not (
            np.array_equal(np.roll(first, 1, axis=0), second) and np.array_equal(first[:1], third)
        ):
            raise RuntimeDiffers(
                f"the {kind} of an image depend on the others of its batch: it computes one image"
                " at a time (engine.batch_images = 1 asks for that)"
            )


_Changed = TypeVar("_Changed", OnnxNetwork, BatchedNetwork)


def _instead(network: _Changed, name: str, error: PacsAIError) -> _Changed:
    """Say of a network what it takes the place of, and why."""
    said = f"{name}: {error.message}"
    network.computed_by = replace(network.computed_by, instead_of=said, error=error.code)
    return network


def probe(spec: InputSpec, images: int = 1) -> Floats:
    """Make images of noise as a network takes them, always the same; values in [-1, 1]."""
    rng = np.random.default_rng(_PROBE_SEED)
    shape = (images, spec.height, spec.width, spec.channels)
    return rng.uniform(-1, 1, shape).astype(np.float32)


def _samples(bundle: ModelBundle) -> list[Floats]:
    """Return the images of the bundle's self-test, one by one; noise where it has none."""
    if bundle.self_test is None:
        return [probe(bundle.input)]
    images = bundle.self_test.inputs(bundle.input)
    return [images[number : number + 1] for number in range(len(images))]
