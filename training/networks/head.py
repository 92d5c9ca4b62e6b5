"""The head that every network has: global average pooling, dropout, one linear dense layer."""

import keras
from keras import layers

from pacs_ai.errors import ExportMismatch


def split_head(model: keras.Model) -> tuple[keras.KerasTensor, layers.Dense]:
    """Find the last feature map, and the dense layer.

    Parameters
    ----------
    model
        A network from images to logits.

    Returns
    -------
    tuple
        The feature map (n, h, w, k), and the dense layer that computes logits from its mean.

    Raises
    ------
    ExportMismatch
        If the head is not global average pooling, dropout (optional) and one linear dense layer:
        Grad-CAM in closed form would not be exact.
    """
    dense = _maker(model.output)
    if not isinstance(dense, layers.Dense) or dense.activation is not keras.activations.linear:
        raise ExportMismatch("the last layer is not a linear dense layer that gives logits")
    below = _maker(dense.input)
    while isinstance(below, layers.Dropout):
        below = _maker(below.input)
    if not isinstance(below, layers.GlobalAveragePooling2D):
        raise ExportMismatch(
            f"the head reads {type(below).__name__}, not the mean over the last feature map: "
            "closed-form Grad-CAM would not be exact"
        )
    return below.input, dense


def _maker(tensor: keras.KerasTensor) -> keras.Operation:
    # Keras has no public way to ask which layer made a tensor.
    return tensor._keras_history.operation
