"""Compare what a runtime computes with the reference, ONNX Runtime on the processor in float32."""

import numpy as np

from pacs_ai.errors import RuntimeDiffers
from pacs_ai.model.network import FEATURES, LOGITS, Floats, LoadedNetwork

TOLERANCE = 1e-4
"""How far values may lie from the reference, relative to the largest of their kind.

Float32 in another order differs by 1e-6 to 1e-5, TF32 by 1e-3, bfloat16 by 1e-2.
"""


def check_parity(network: LoadedNetwork, reference: LoadedNetwork, sample: Floats) -> None:
    """Refuse a network that computes other values than the reference, or other bits each time.

    Parameters
    ----------
    network, reference
        The same network, loaded by two providers.
    sample
        Preprocessed images, shape (n, height, width, channels).

    Raises
    ------
    RuntimeDiffers
        If logits or features differ by more than `TOLERANCE`, or two runs differ at all.
    RuntimeFailed
        If one of them does not compute.
    """
    ours, again = network.compute(sample), network.compute(sample)
    wanted = reference.compute(sample)
    for kind, first, second, expected in zip((LOGITS, FEATURES), ours, again, wanted, strict=True):
        if first.shape != expected.shape:
            raise RuntimeDiffers(f"its {kind} have shape {first.shape}, not {expected.shape}")
        if not np.array_equal(first, second):
            raise RuntimeDiffers(f"its {kind} differ from run to run")
        far, largest = (float(np.abs(one).max()) for one in (first - expected, expected))
        if not far <= TOLERANCE * largest:  # so it is where a value is not a number
            raise RuntimeDiffers(
                f"its {kind} differ by {far:.2g} from those of the reference, which reach"
                f" {largest:.2g}; allowed is {TOLERANCE:.0e} of that"
            )
