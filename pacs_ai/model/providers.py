"""Which provider the configuration chooses, and what computes where that one cannot."""

from dataclasses import replace
from functools import partial

import numpy as np

from pacs_ai.errors import PacsAIError
from pacs_ai.model.bundle import ModelBundle
from pacs_ai.model.network import Floats, LoadedNetwork, Provider
from pacs_ai.model.onnxruntime_provider import CUDA, TENSORRT, onnx_cpu, onnx_gpu
from pacs_ai.model.openvino_provider import openvino_cpu
from pacs_ai.model.parity import check_parity
from pacs_ai.model.spec import InputSpec

_PROBE_SEED = 20240102


def provider_of(runtime: str, device: str) -> Provider:
    """Return the provider of a configuration.

    Parameters
    ----------
    runtime
        ``onnxruntime``, ``openvino`` or ``tensorrt``.
    device
        ``cpu``, or ``cuda:N``.

    Returns
    -------
    Provider
        The reference (ONNX Runtime on the processor) for ``onnxruntime`` on ``cpu``. Any other one
        is compared with the reference when it loads a network. If it cannot load it, or computes
        something else, the reference takes its place, and `ComputedBy.instead_of` says why.
    """
    chosen = _chosen(runtime, device)
    return onnx_cpu if chosen is onnx_cpu else guarded(chosen, f"{runtime} on {device}")


def guarded(chosen: Provider, name: str) -> Provider:
    """Return a provider that gives the reference where the chosen one fails or differs.

    Parameters
    ----------
    chosen
        The provider to try first.
    name
        What it is called in `ComputedBy.instead_of`.
    """

    def load(bundle: ModelBundle, threads: int) -> LoadedNetwork:
        reference = onnx_cpu(bundle, threads)
        try:
            network = chosen(bundle, threads)
            for image in _samples(bundle):
                check_parity(network, reference, image)
        except PacsAIError as error:
            instead = f"{name}: {error.message}"
            reference.computed_by = replace(reference.computed_by, instead_of=instead)
            return reference
        return network

    return load


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


def _chosen(runtime: str, device: str) -> Provider:
    if runtime == "openvino":
        return openvino_cpu
    if device == "cpu":
        return onnx_cpu
    execution = TENSORRT if runtime == "tensorrt" else CUDA
    number = int(device.removeprefix("cuda:"))
    return partial(onnx_gpu, execution=execution, device=number)
