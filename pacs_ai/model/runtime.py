"""Run a bundle's network, whatever computes it, and check what it gives."""

import hashlib

import numpy as np

from pacs_ai.errors import BundleInvalid, RuntimeFailed
from pacs_ai.model.bundle import ModelBundle
from pacs_ai.model.network import (
    FEATURES,
    LOGITS,
    ComputedBy,
    DeviceFailed,
    Floats,
    Provider,
    lacks_memory,
)
from pacs_ai.model.onnxruntime_provider import onnx_cpu
from pacs_ai.model.providers import after, probe

HEAD_TOLERANCE = 1e-3
"""How far logits may lie from head(mean(features)), relative to their size; rounding is 1e-6."""

_PROBE_IMAGES = 2


class Runtime:
    """A network, loaded and checked, ready to predict.

    Parameters
    ----------
    bundle
        What to load.
    threads
        Threads that compute one prediction.
    provider
        What computes it.

    Raises
    ------
    BundleInvalid
        If the network does not load, does not take or give what the manifest says, or its logits
        are not its pooled features times the head, so that Grad-CAM would not be exact, or the
        self-test of the bundle gives other logits.
    """

    def __init__(
        self, bundle: ModelBundle, threads: int = 1, provider: Provider = onnx_cpu
    ) -> None:
        self._network = provider(bundle, threads)
        self._takes_batches = False
        while True:
            try:
                self.probe_sha256 = self._check(bundle)
            except DeviceFailed as failure:  # what takes its place may lack memory as well
                self._network = self.after(failure)(bundle, threads)
            else:
                break

    def after(self, failure: DeviceFailed) -> Provider:
        """Return what takes the place of the network; see `pacs_ai.model.providers.after`."""
        return after(failure, self._network)

    @property
    def computed_by(self) -> ComputedBy:
        """What computes the network."""
        return self._network.computed_by

    def predict(self, x: Floats) -> tuple[Floats, Floats]:
        """Compute logits and last features.

        Parameters
        ----------
        x
            Preprocessed images, shape (n, height, width, channels).

        Returns
        -------
        tuple
            Logits, shape (n, classes), and features, shape (n, h, w, k). The bits are those of
            images that come one at a time: a network that gives others for a batch, or takes none,
            gets one image at a time.

        Raises
        ------
        RuntimeFailed
            If the runtime fails or gives values that are not finite. `DeviceFailed` if it fails on
            a GPU: see `after`.
        """
        if len(x) == 1 or self._takes_batches:
            logits, features = self._network.compute(x)
        else:
            logits, features = self._one_by_one(x)
        if not _finite(logits, features):
            raise RuntimeFailed("the network gave values that are not finite")
        return logits, features

    def _check(self, bundle: ModelBundle) -> str:
        """Predict noise and compare shapes and head: a wrong bundle fails now, not later.

        Returns
        -------
        str
            Hash of what the network gave. It differs where the same network is computed otherwise:
            with other instructions of the processor, on another device, by other code.
        """
        network, classes = self._network, len(bundle.identity.classes)
        if len(network.inputs) != 1 or not {LOGITS, FEATURES} <= set(network.outputs):
            raise BundleInvalid(f"the network must have one input and give {LOGITS}, {FEATURES}")
        noise = probe(bundle.input, _PROBE_IMAGES)
        logits, features = self._first(noise)
        channels = bundle.class_weights.shape[1]
        if logits.shape != (_PROBE_IMAGES, classes) or features.ndim != 4:  # noqa: PLR2004 - n, h, w, k
            raise BundleInvalid(f"the network gives shapes {logits.shape}, {features.shape}")
        if features.shape[3] != channels:
            raise BundleInvalid(f"features have {features.shape[3]} channels, the head {channels}")
        expected = features.mean(axis=(1, 2)) @ bundle.class_weights.T + bundle.bias
        if not np.allclose(logits, expected, rtol=HEAD_TOLERANCE, atol=HEAD_TOLERANCE):
            raise BundleInvalid("the logits are not the pooled features times the head")
        if bundle.self_test is not None:
            bundle.self_test.check(self._logits, bundle.input, bundle.precision)
        self._takes_batches = self._same_in_a_batch(noise, logits, features)
        return hashlib.sha256(logits.tobytes() + features.tobytes()).hexdigest()

    def _first(self, noise: Floats) -> tuple[Floats, Floats]:
        """Compute images for the first time, and say why that fails if it does."""
        try:
            logits, features = self._one_by_one(noise)
        except DeviceFailed:
            raise
        except RuntimeFailed as error:
            if lacks_memory(error.__cause__):
                said = "the network needs more memory for an image than there is"
                raise BundleInvalid(said) from error
            raise BundleInvalid("the network does not take the input of its manifest") from error
        if not _finite(logits, features):
            raise BundleInvalid(
                "the network gives values that are not finite for an image of noise: look at its "
                "weights for values that are not numbers or too large"
            )
        return logits, features

    def _logits(self, x: Floats) -> Floats:
        return self.predict(x)[0]

    def _one_by_one(self, x: Floats) -> tuple[Floats, Floats]:
        parts = [self._network.compute(x[number : number + 1]) for number in range(len(x))]
        return np.concatenate([one[0] for one in parts]), np.concatenate([one[1] for one in parts])

    def _same_in_a_batch(self, x: Floats, logits: Floats, features: Floats) -> bool:
        """Tell whether the network gives the same bits for all images at once."""
        try:
            together = self._network.compute(x)
        except DeviceFailed:
            raise
        except RuntimeFailed:
            return False
        return np.array_equal(together[0], logits) and np.array_equal(together[1], features)


def _finite(*values: Floats) -> bool:
    return all(bool(np.isfinite(one).all()) for one in values)
