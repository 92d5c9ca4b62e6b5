"""Grad-CAM by automatic differentiation, for any network: the reference of the closed form."""

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf


def gradient_gradcam(
    model: keras.Model, x: npt.NDArray[np.float32], class_index: int, layer: str
) -> npt.NDArray[np.float32]:
    """Compute the Grad-CAM of one class by automatic differentiation.

    Parameters
    ----------
    model
        A network from images to logits.
    x
        One preprocessed image, shape (1, height, width, 1).
    class_index
        The output to explain.
    layer
        The layer whose activations are weighted.

    Returns
    -------
    saliency
        Shape (h, w), in [0, 1]; all zero if no activation supports the class.

    Notes
    -----
    Selvaraju et al., Grad-CAM, 2017: the weight of a channel is the mean of the logit's gradient
    over the map.
    """
    with_features = keras.Model(model.input, [model.get_layer(layer).output, model.output])
    image = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(image)
        features, logits = with_features(image, training=False)
        logit = logits[0, class_index]
    weights = tf.reduce_mean(tape.gradient(logit, features), axis=(1, 2))
    saliency = tf.nn.relu(tf.einsum("hwk,k->hw", features[0], weights[0])).numpy()
    peak = float(saliency.max(initial=0.0))
    return np.asarray(saliency / peak if peak > 0 else saliency, dtype=np.float32)
