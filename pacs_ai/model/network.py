"""The contract of a runtime: what a provider loads, and what the loaded network computes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pacs_ai.errors import RuntimeFailed
from pacs_ai.model.bundle import ModelBundle

Floats = npt.NDArray[np.float32]

CPU = "CPU"
"""`ComputedBy.device` of the processor."""

LOGITS, FEATURES = "logits", "features"
"""Names of a network's outputs."""

_NO_MEMORY = ("alloc", "out of memory", "would require more", "smaller than requested bytes")


@dataclass(frozen=True, slots=True)
class ComputedBy:
    """What computes a network: a library in a version, on a device, in a precision.

    ``batch`` is the number of images that it computes at a time. ``instead_of`` says which choice
    of the configuration cannot compute it, and why; "" if this is the choice. ``error`` is the
    code of that reason.
    """

    library: str
    version: str
    device: str = CPU
    precision: str = "fp32"
    batch: int = 1
    instead_of: str = ""
    error: str = ""

    def __str__(self) -> str:
        return f"{self.library} {self.version}, {self.device}, {self.precision}"

    @property
    def with_batch(self) -> str:
        """The same with the number of images that it computes at a time, if it is not one."""
        return f"{self}, {self.batch} images at a time" if self.batch > 1 else str(self)


class DeviceFailed(RuntimeFailed):
    """A GPU failed at work. Smaller batches, or the processor, take its place.

    Parameters
    ----------
    memory
        Whether it lacks memory.
    """

    code = "DEVICE_FAILED"

    def __init__(self, message: str, *, memory: bool) -> None:
        super().__init__(message)
        self.memory = memory


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
            If the library fails; `DeviceFailed` if it does so on a GPU.
        """


class Provider(Protocol):
    """Loads networks."""

    def __call__(self, bundle: ModelBundle, threads: int) -> LoadedNetwork:
        """Load the network of a bundle; ``threads`` compute one prediction.

        Raises
        ------
        BundleInvalid
            If the network does not load.
        DeviceUnavailable
            If the library or the device is not there.
        """


def lacks_memory(error: BaseException | None) -> bool:
    """Tell whether a library failed for want of memory: most say so in a text alone."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(sign in said for sign in _NO_MEMORY)
