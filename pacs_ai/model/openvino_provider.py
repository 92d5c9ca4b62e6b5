"""OpenVINO on the processor: float32, one image at a time, the same bits each time."""

import sys
import threading
from typing import TYPE_CHECKING

import numpy as np

from pacs_ai.errors import BundleInvalid, DeviceUnavailable, RuntimeFailed
from pacs_ai.model.bundle import ModelBundle
from pacs_ai.model.installed import missing
from pacs_ai.model.network import FEATURES, LOGITS, ComputedBy, Floats

if TYPE_CHECKING:
    import openvino

_CONVERTER = "openvino.tools.ovc"


class OpenVinoNetwork:
    """A network that OpenVINO computes.

    Parameters
    ----------
    compiled
        The network, compiled for a batch of one image.
    version
        Version of the library.
    precision
        Of the network: ``fp32``, ``fp16`` or ``int8``.
    """

    def __init__(self, compiled: "openvino.CompiledModel", version: str, precision: str) -> None:
        self._compiled = compiled
        self._requests = threading.local()
        self.computed_by = ComputedBy("OpenVINO", version, precision=precision)
        self.inputs = [one.any_name for one in compiled.inputs]
        self.outputs = [one.any_name for one in compiled.outputs]

    def compute(self, x: Floats) -> tuple[Floats, Floats]:
        """Compute logits and last features, image by image."""
        parts = [self._one(x[number : number + 1]) for number in range(len(x))]
        return np.concatenate([one[0] for one in parts]), np.concatenate([one[1] for one in parts])

    def _one(self, x: Floats) -> tuple[Floats, Floats]:
        try:
            if not hasattr(self._requests, "own"):
                self._requests.own = self._compiled.create_infer_request()
            request = self._requests.own
            request.infer([np.ascontiguousarray(x)])
            # the request writes its next outputs to the same memory
            return tuple(request.get_tensor(name).data.copy() for name in (LOGITS, FEATURES))
        except RuntimeError as error:
            raise RuntimeFailed("the runtime failed on a preprocessed image") from error


def openvino_cpu(bundle: ModelBundle, threads: int) -> OpenVinoNetwork:
    """Load a network with OpenVINO for the processor.

    Raises
    ------
    BundleInvalid
        If the network does not load.
    DeviceUnavailable
        If OpenVINO is not installed.
    """
    # Its converter is not needed, and loads a package that reports use to its maker.
    sys.modules.setdefault(_CONVERTER, None)  # type: ignore[arg-type]
    try:
        import openvino  # noqa: PLC0415 - an extra, and 200 ms
    except ImportError as error:
        raise DeviceUnavailable(missing("openvino", "cpu") or "OpenVINO does not load") from error
    settings = {
        # Without these the library computes in bfloat16 where the processor can.
        "INFERENCE_PRECISION_HINT": "f32",
        "EXECUTION_MODE_HINT": "ACCURACY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        # Several workers would all be pinned to the first cores.
        "ENABLE_CPU_PINNING": False,
    }
    spec = bundle.input
    try:
        core = openvino.Core()
        model = core.read_model(bundle.read_network())
        model.reshape([1, spec.height, spec.width, spec.channels])
        compiled = core.compile_model(model, "CPU", settings)
    except RuntimeError as error:
        raise BundleInvalid(f"OpenVINO does not load the network of {bundle.folder}") from error
    return OpenVinoNetwork(compiled, openvino.__version__.partition("-")[0], bundle.precision)
