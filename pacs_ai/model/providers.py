"""What computes networks: a provider loads the network of a bundle for a library and a device."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as native

from pacs_ai.errors import BundleInvalid, RuntimeFailed
from pacs_ai.model.bundle import ModelBundle

Floats = npt.NDArray[np.float32]

LOGITS, FEATURES = "logits", "features"
"""Names of a network's outputs."""

_ERRORS_ONLY = 3

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
    RuntimeError,
    ValueError,
)
"""What ONNX Runtime raises; its own classes share no base but Exception."""

onnxruntime.set_default_logger_severity(_ERRORS_ONLY)


@dataclass(frozen=True, slots=True)
class ComputedBy:
    """What computes a network: a library in a version, on a device, in a precision."""

    library: str
    version: str
    device: str = "CPU"
    precision: str = "fp32"

    def __str__(self) -> str:
        return f"{self.library} {self.version}, {self.device}, {self.precision}"


class LoadedNetwork(Protocol):
    """A network in memory. Several threads may call it at the same time."""

    @property
    def computed_by(self) -> ComputedBy:
        """What computes it: stated in results, and part of their UIDs."""

    @property
    def inputs(self) -> Sequence[str]:
        """Names of the inputs."""

    @property
    def outputs(self) -> Sequence[str]:
        """Names of the outputs."""

    def compute(self, x: Floats) -> tuple[Floats, Floats]:
        """Compute logits and last features, as `pacs_ai.model.runtime.Runtime.predict`.

        Raises
        ------
        RuntimeFailed
            If the library fails.
        """


class Provider(Protocol):
    """Loads networks."""

    def __call__(self, bundle: ModelBundle, threads: int) -> LoadedNetwork:
        """Load the network of a bundle; ``threads`` compute one prediction.

        Raises
        ------
        BundleInvalid
            If the network does not load.
        """


class OnnxNetwork:
    """A network that ONNX Runtime computes.

    Parameters
    ----------
    session
        The session that has loaded it.
    """

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self.computed_by = ComputedBy("ONNX Runtime", onnxruntime.__version__)
        self.inputs = [one.name for one in session.get_inputs()]
        self.outputs = [one.name for one in session.get_outputs()]

    def compute(self, x: Floats) -> tuple[Floats, Floats]:
        """Compute logits and last features."""
        try:
            logits, features = self._session.run([LOGITS, FEATURES], {self.inputs[0]: x})
        except _FAILURES as error:
            raise RuntimeFailed("the runtime failed on a preprocessed image") from error
        return logits, features


def onnx_cpu(bundle: ModelBundle, threads: int) -> OnnxNetwork:
    """Load a network with ONNX Runtime for the CPU."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # The arena never gives memory back and images come one at a time: it only costs memory here.
    options.enable_cpu_mem_arena = False
    options.use_deterministic_compute = True
    # Threads that spin between predictions take the processor from receiving.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(
            bundle.read_network(), options, providers=["CPUExecutionProvider"]
        )
    except _FAILURES as error:
        raise BundleInvalid(f"the network of {bundle.folder} does not load") from error
    return OnnxNetwork(session)
