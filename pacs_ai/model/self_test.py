"""The self-test of a bundle: generated images, and what the network gave for them when it was made.

A network that gives something else on this machine (another runtime, another processor, a damaged
library) is found when it is loaded, and not by its first wrong report.
"""

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pacs_ai.errors import BundleInvalid
from pacs_ai.model.preprocess import scale
from pacs_ai.model.spec import InputSpec

Floats = npt.NDArray[np.float32]

TOLERANCES = {"fp32": 1e-3, "fp16": 1e-2, "int8": 5e-2}
"""By precision, how far a logit may lie from its expected value, relative to the largest (at least
1). Rounding of float32 gives 1e-5. Instructions for eight bits may saturate on some processors.
"""

_MOST_IMAGES = 16


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Images and expected logits, as ``selftest.npz`` holds them.

    ``grey`` has shape (n, height, width), uint8: the resized image before its grey values are
    scaled. ``logits`` has shape (n, classes), float32.
    """

    grey: npt.NDArray[np.uint8]
    logits: Floats

    def inputs(self, spec: InputSpec) -> Floats:
        """Return the images as the network takes them, shape (n, height, width, channels)."""
        return scale(self.grey[..., None].astype(np.float32) / np.float32(255), spec)

    def check(self, predict: Callable[[Floats], Floats], spec: InputSpec, precision: str) -> None:
        """Compare what a network gives with what is expected.

        Parameters
        ----------
        predict
            Gives the logits, shape (n, classes), of inputs.
        spec
            What the network takes.
        precision
            Of the network: ``fp32``, ``fp16`` or ``int8``.

        Raises
        ------
        BundleInvalid
            If a logit differs by more than `TOLERANCES` allows.
        """
        difference = self.difference(predict(self.inputs(spec)))
        limit = TOLERANCES[precision]
        if not difference <= limit:
            raise BundleInvalid(
                f"the network fails the self-test of its bundle on this machine: a logit differs "
                f"by {difference:.2g} of the largest, allowed is {limit:g} ({precision})"
            )

    def difference(self, logits: Floats) -> float:
        """Largest difference from the expected logits, relative to the largest (at least 1)."""
        largest = max(1.0, float(np.abs(self.logits).max()))
        return float(np.abs(logits - self.logits).max()) / largest

    def encode(self) -> bytes:
        """Return the content of ``selftest.npz``; the same values give the same bytes."""
        content = io.BytesIO()
        np.savez_compressed(content, allow_pickle=False, grey=self.grey, logits=self.logits)
        return content.getvalue()


def decode(content: bytes, spec: InputSpec, classes: int) -> SelfTest:
    """Read what `SelfTest.encode` wrote.

    Parameters
    ----------
    content
        Of the file.
    spec, classes
        What the network of the bundle takes, and the number of its outputs.

    Raises
    ------
    BundleInvalid
        If the file is damaged, or does not fit the network.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            grey, logits = arrays["grey"], arrays["logits"]
    except (ValueError, KeyError, EOFError, OSError, MemoryError, zipfile.BadZipFile) as error:
        raise BundleInvalid("the self-test of the bundle cannot be read") from error
    fits = grey.dtype == np.uint8 and grey.shape[1:] == (spec.height, spec.width)
    gives = logits.dtype == np.float32 and logits.shape == (len(grey), classes)
    if not (fits and gives and 1 <= len(grey) <= _MOST_IMAGES and np.isfinite(logits).all()):
        raise BundleInvalid("the self-test of the bundle does not fit its network")
    return SelfTest(grey, logits)
