"""Weights of EfficientNet-Lite: from the names and the axes of PyTorch to those of Keras."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from pacs_ai.errors import DataError
from training.foreign.torch_file import Arrays
from training.networks.lite import blocks

_OUTPUT_LAST = (2, 3, 1, 0)  # a convolution: (out, in, h, w) to (h, w, in, out)
_DEPTHWISE = (2, 3, 0, 1)  # (channels, 1, h, w) to (h, w, channels, 1)
_NORMALISATION = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_UNUSED = "num_batches_tracked"


def convert_lite(tensors: Arrays, architecture: str) -> dict[str, npt.NDArray[np.float32]]:
    """Name the tensors by the variables of the network in Keras.

    Parameters
    ----------
    tensors
        As the package ``efficientnet-lite-pytorch`` names them, such as ``_conv_stem.weight``.
    architecture
        ``efficientnet-lite0``, ``-lite1`` or ``-lite2``.

    Returns
    -------
    dict
        ``stem_conv/kernel`` and so on, float32; ``logits/kernel`` (1280, 1000) and ``logits/bias``
        are the classes of ImageNet.

    Raises
    ------
    DataError
        If a tensor is missing, or one is left over.
    """
    left = {name: value for name, value in tensors.items() if not name.endswith(_UNUSED)}
    made: dict[str, npt.NDArray[np.float32]] = {}
    try:
        for layer, source, axes in _convolutions(architecture):
            kernel = np.transpose(left.pop(f"{source}.weight"), axes)
            made[f"{layer}/kernel"] = np.ascontiguousarray(kernel, np.float32)
        for layer, source in _normalisations(architecture):
            for ours, theirs in _NORMALISATION.items():
                made[f"{layer}/{ours}"] = np.asarray(left.pop(f"{source}.{theirs}"), np.float32)
        made["logits/kernel"] = np.ascontiguousarray(left.pop("_fc.weight").T, np.float32)
        made["logits/bias"] = np.asarray(left.pop("_fc.bias"), np.float32)
    except (KeyError, ValueError) as error:
        raise DataError(f"these are not the weights of {architecture}: {error}") from error
    if left:
        raise DataError(f"these are not the weights of {architecture}: {sorted(left)[0]} is over")
    return made


def _convolutions(architecture: str) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    yield "stem_conv", "_conv_stem", _OUTPUT_LAST
    for index, block in enumerate(blocks(architecture)):
        if block.expansion > 1:
            yield f"{block.name}_expand_conv", f"_blocks.{index}._expand_conv", _OUTPUT_LAST
        yield f"{block.name}_depthwise_conv", f"_blocks.{index}._depthwise_conv", _DEPTHWISE
        yield f"{block.name}_project_conv", f"_blocks.{index}._project_conv", _OUTPUT_LAST
    yield "top_conv", "_conv_head", _OUTPUT_LAST


def _normalisations(architecture: str) -> Iterator[tuple[str, str]]:
    yield "stem_bn", "_bn0"
    for index, block in enumerate(blocks(architecture)):
        if block.expansion > 1:
            yield f"{block.name}_expand_bn", f"_blocks.{index}._bn0"
        yield f"{block.name}_depthwise_bn", f"_blocks.{index}._bn1"
        yield f"{block.name}_project_bn", f"_blocks.{index}._bn2"
    yield "top_bn", "_bn1"
