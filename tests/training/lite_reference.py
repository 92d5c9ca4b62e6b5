"""EfficientNet-Lite0 as it was published, in NumPy: an oracle for the network in Keras.

From the tensors of the PyTorch file, by their names there, in the order (channels, rows, columns).
Table of the blocks: Tan and Le, EfficientNet, 2019, Table 1, without squeeze and excitation.
"""

from collections.abc import Mapping

import numpy as np

Arrays = Mapping[str, np.ndarray]

EPSILON = 1e-3
# stride of each block; all else is seen from the shapes of its kernels
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)


def logits(tensors: Arrays, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the last feature map (1280, h, w), and the 1000 logits, in float64.

    Parameters
    ----------
    image
        Shape (3, height, width), (byte - 127) / 128.
    """
    x = _clip(_norm(tensors, "_bn0", _dense(image, tensors["_conv_stem.weight"], 2)))
    for index, stride in enumerate(STRIDES):
        x = _block(tensors, f"_blocks.{index}.", x, stride)
    x = _clip(_norm(tensors, "_bn1", _dense(x, tensors["_conv_head.weight"], 1)))
    pooled = x.mean(axis=(1, 2))
    return x, tensors["_fc.weight"].astype(float) @ pooled + tensors["_fc.bias"]


def _block(tensors: Arrays, name: str, x: np.ndarray, stride: int) -> np.ndarray:
    y = x
    if f"{name}_expand_conv.weight" in tensors:
        y = _clip(
            _norm(tensors, f"{name}_bn0", _dense(y, tensors[f"{name}_expand_conv.weight"], 1))
        )
    y = _depthwise(y, tensors[f"{name}_depthwise_conv.weight"], stride)
    y = _clip(_norm(tensors, f"{name}_bn1", y))
    y = _norm(tensors, f"{name}_bn2", _dense(y, tensors[f"{name}_project_conv.weight"], 1))
    return x + y if stride == 1 and x.shape == y.shape else y


def _windows(x: np.ndarray, kernel: int, stride: int) -> np.ndarray:
    """Return (channels, rows, columns, kernel, kernel); "same", the odd pixel after the image."""
    pads = []
    for side in x.shape[1:]:
        total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        pads.append((total // 2, total - total // 2))
    padded = np.pad(x, [(0, 0), *pads])
    seen = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(1, 2))
    return seen[:, ::stride, ::stride]


def _dense(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    return np.tensordot(
        kernel.astype(float), _windows(x, kernel.shape[-1], stride), ((1, 2, 3), (0, 3, 4))
    )


def _depthwise(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    seen = _windows(x, kernel.shape[-1], stride)
    return np.einsum("cijkl,ckl->cij", seen, kernel[:, 0].astype(float), optimize=True)


def _norm(tensors: Arrays, name: str, x: np.ndarray) -> np.ndarray:
    mean, variance, gamma, beta = (
        tensors[f"{name}.{part}"].astype(float)[:, None, None]
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / np.sqrt(variance + EPSILON) * gamma + beta


def _clip(x: np.ndarray) -> np.ndarray:
    return np.clip(x, 0, 6)
