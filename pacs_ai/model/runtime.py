"""Run a bundle's network with ONNX Runtime on the CPU."""

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as native

from pacs_ai.errors import BundleInvalid, RuntimeFailed
from pacs_ai.model.bundle import ModelBundle

Floats = npt.NDArray[np.float32]

LOGITS, FEATURES = "logits", "features"
HEAD_TOLERANCE = 1e-3
"""How far logits may lie from head(mean(features)), relative to their size; rounding is 1e-6."""

_ERRORS_ONLY = 3
_PROBE_SEED = 20240102

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
"""What the runtime raises; its own classes share no base but Exception."""

onnxruntime.set_default_logger_severity(_ERRORS_ONLY)


class OnnxRuntime:
    """A network, loaded and checked, ready to predict.

    Parameters
    ----------
    bundle
        What to load.
    threads
        Threads that compute one prediction.

    Raises
    ------
    BundleInvalid
        If the network does not load, does not take or give what the manifest says, or its logits
        are not its pooled features times the head, so that Grad-CAM would not be exact.
    """

    def __init__(self, bundle: ModelBundle, threads: int = 1) -> None:
        self._spec = bundle.input
        self._classes = len(bundle.identity.classes)
        self._session = _open(bundle, threads)
        self._input = self._session.get_inputs()[0].name
        self._check(bundle)

    def predict(self, x: Floats) -> tuple[Floats, Floats]:
        """Compute logits and last features.

        Parameters
        ----------
        x
            Preprocessed images, shape (n, height, width, channels).

        Returns
        -------
        tuple
            Logits, shape (n, classes), and features, shape (n, h, w, k).

        Raises
        ------
        RuntimeFailed
            If the runtime fails or gives values that are not finite.
        """
        try:
            logits, features = self._session.run([LOGITS, FEATURES], {self._input: x})
        except _FAILURES as error:
            raise RuntimeFailed("the runtime failed on a preprocessed image") from error
        if not (np.isfinite(logits).all() and np.isfinite(features).all()):
            raise RuntimeFailed("the network gave values that are not finite")
        return logits, features

    def _check(self, bundle: ModelBundle) -> None:
        """Predict noise once and compare shapes and head: a wrong bundle fails now, not later."""
        names = [output.name for output in self._session.get_outputs()]
        if len(self._session.get_inputs()) != 1 or not {LOGITS, FEATURES} <= set(names):
            raise BundleInvalid(f"the network must have one input and give {LOGITS}, {FEATURES}")
        rng = np.random.default_rng(_PROBE_SEED)
        shape = (1, self._spec.height, self._spec.width, self._spec.channels)
        try:
            logits, features = self.predict(rng.uniform(-1, 1, shape).astype(np.float32))
        except RuntimeFailed as error:
            raise BundleInvalid("the network does not take the input of its manifest") from error
        channels = bundle.class_weights.shape[1]
        if logits.shape != (1, self._classes) or features.ndim != 4:  # noqa: PLR2004 - n, h, w, k
            raise BundleInvalid(f"the network gives shapes {logits.shape}, {features.shape}")
        if features.shape[3] != channels:
            raise BundleInvalid(f"features have {features.shape[3]} channels, the head {channels}")
        expected = features.mean(axis=(1, 2)) @ bundle.class_weights.T + bundle.bias
        if not np.allclose(logits, expected, rtol=HEAD_TOLERANCE, atol=HEAD_TOLERANCE):
            raise BundleInvalid("the logits are not the pooled features times the head")


def _open(bundle: ModelBundle, threads: int) -> onnxruntime.InferenceSession:
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
        return onnxruntime.InferenceSession(
            bundle.read_network(), options, providers=["CPUExecutionProvider"]
        )
    except _FAILURES as error:
        raise BundleInvalid(f"the network of {bundle.folder} does not load") from error
