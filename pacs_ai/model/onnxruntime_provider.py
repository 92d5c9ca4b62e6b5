"""ONNX Runtime: on the processor, and on a GPU by its CUDA and TensorRT execution providers."""

import os
import re
from collections.abc import Mapping, Sequence

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as native

from pacs_ai.errors import BundleInvalid, DeviceUnavailable, RuntimeFailed
from pacs_ai.model.bundle import ModelBundle
from pacs_ai.model.network import (
    FEATURES,
    LOGITS,
    ComputedBy,
    DeviceFailed,
    Floats,
    lacks_memory,
)
from pacs_ai.model.quantisation import INT8

CUDA, TENSORRT = "CUDAExecutionProvider", "TensorrtExecutionProvider"

_CPU = "CPUExecutionProvider"
_ERRORS_ONLY = 3
_SPIN_MICROSECONDS = "20"
_NAMES = {_CPU: "CPU", CUDA: "CUDA", TENSORRT: "TensorRT"}

_OPTIONS: Mapping[str, Mapping[str, str]] = {
    # Algorithms by rule, not by a measurement that may choose others; no multiplication in TF32.
    # The arena never gives memory back: it grows by what is needed, not to the next power of two.
    CUDA: {
        "cudnn_conv_algo_search": "HEURISTIC",
        "use_tf32": "0",
        "arena_extend_strategy": "kSameAsRequested",
    },
    TENSORRT: {"trt_fp16_enable": "0", "trt_int8_enable": "0"},
}
"""What keeps results in float32, and as far as the library allows the same each time."""

_MEMORY_LIMITS = {CUDA: "gpu_mem_limit", TENSORRT: "trt_max_workspace_size"}
_FAILURE = re.compile(r"(?:CUDA|CUDNN|CUBLAS)\w* failure \d+")

_FAILURES = (
    native.EPFail,
    native.Fail,
    native.InvalidArgument,
    native.InvalidGraph,
    native.InvalidProtobuf,
    native.NoModel,
    native.NoSuchFile,
    native.NotImplemented,
    native.RuntimeException,
    MemoryError,
    RuntimeError,
    ValueError,
)
"""What ONNX Runtime raises; its own classes share no base but Exception."""

onnxruntime.set_default_logger_severity(_ERRORS_ONLY)


class OnnxNetwork:
    """A network that ONNX Runtime computes.

    Parameters
    ----------
    session
        The session that has loaded it.
    precision
        Of the network: ``fp32``, ``fp16`` or ``int8``.
    gpu
        Number of the GPU that computes it; None for the processor.
    """

    def __init__(
        self, session: onnxruntime.InferenceSession, precision: str, gpu: int | None = None
    ) -> None:
        self._session = session
        self._gpu = gpu
        device = _NAMES.get(session.get_providers()[0], session.get_providers()[0])
        self.computed_by = ComputedBy("ONNX Runtime", onnxruntime.__version__, device, precision)
        self.inputs = [one.name for one in session.get_inputs()]
        self.outputs = [one.name for one in session.get_outputs()]

    def compute(self, x: Floats) -> tuple[Floats, Floats]:
        """Compute logits and last features."""
        try:
            logits, features = self._session.run([LOGITS, FEATURES], {self.inputs[0]: x})
        except _FAILURES as error:
            if self._gpu is not None:
                raise _device_failed(self._gpu, len(x), error) from error
            raise RuntimeFailed("the runtime failed on a preprocessed image") from error
        return logits, features


def _device_failed(gpu: int, images: int, error: Exception) -> DeviceFailed:
    """Say what failed; of the library's text only the number: the text names hosts and files."""
    memory = lacks_memory(error)
    number = _FAILURE.search(str(error))
    why = "not enough memory" if memory else number[0] if number else type(error).__name__
    return DeviceFailed(f"GPU {gpu} failed on a batch of {images}: {why}", memory=memory)


def onnx_cpu(bundle: ModelBundle, threads: int) -> OnnxNetwork:
    """Load a network with ONNX Runtime for the processor: the reference of all runtimes."""
    return OnnxNetwork(_session(bundle, threads, [_CPU]), bundle.precision)


def onnx_gpu(
    bundle: ModelBundle, threads: int, execution: str, device: int, memory: int | None = None
) -> OnnxNetwork:
    """Load a network with ONNX Runtime for a GPU.

    Parameters
    ----------
    bundle, threads
        See `pacs_ai.model.network.Provider`.
    execution
        `CUDA` or `TENSORRT`.
    device
        Number of the GPU, from 0.
    memory
        Bytes that it may use there; None for all. With TensorRT its workspace has the same limit.

    Raises
    ------
    DeviceUnavailable
        If this build of ONNX Runtime has no such execution provider, or it does not start: no GPU,
        no driver, or libraries of another version.
    """
    if execution not in onnxruntime.get_available_providers():
        raise DeviceUnavailable(f"this build of ONNX Runtime has no {_NAMES[execution]}")
    # Read by the libraries of CUDA when they load: TensorRT has no option of its own for it.
    os.environ["NVIDIA_TF32_OVERRIDE"] = "0"
    chain = [TENSORRT, CUDA] if execution == TENSORRT else [CUDA]
    options = [{"device_id": str(device), **_OPTIONS[one]} for one in chain]
    if memory is not None:
        for one, its in zip(chain, options, strict=True):
            its[_MEMORY_LIMITS[one]] = str(memory)
    session = _session(bundle, threads, [*chain, _CPU], [*options, {}])
    if session.get_providers()[0] != execution:  # the library goes on without it by itself
        raise DeviceUnavailable(
            f"{_NAMES[execution]} does not start on GPU {device}: check driver and libraries"
        )
    session.disable_fallback()
    return OnnxNetwork(session, bundle.precision, device)


def _session(
    bundle: ModelBundle,
    threads: int,
    providers: Sequence[str],
    provider_options: Sequence[Mapping[str, str]] | None = None,
) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # The arena never gives memory back and images come one at a time: it only costs memory here.
    options.enable_cpu_mem_arena = False
    options.use_deterministic_compute = True
    # Threads that spin take the processor from receiving. The layers of a network of eight bits are
    # so short that sleeping between them costs more: its threads spin, but for the time between two
    # layers alone. On a busy machine longer ones took 1.8 times the processor time of the network.
    spins = bundle.precision == INT8
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spins else "0")
    options.add_session_config_entry("session.intra_op.spin_duration_us", _SPIN_MICROSECONDS)
    options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        return onnxruntime.InferenceSession(
            bundle.read_network(),
            options,
            providers=list(providers),
            provider_options=provider_options,
        )
    except _FAILURES as error:
        why = ": it needs more memory than there is" if lacks_memory(error) else ""
        raise BundleInvalid(f"the network of {bundle.folder} does not load{why}") from error
