"""Grad-CAM by the gradient, for any network: what the closed form is held against."""

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf


def gradient_gradcam(
    model: keras.Model, x: npt.NDArray[np.float32], class_index: int, layer: str
) -> npt.NDArray[np.float32]:
    """Where the network looked for one class, by automatic differentiation.

    Parameters
    ----------
    model
        From images to logits.
    x
        One preprocessed image, shape (1, height, width, 1).
    class_index
        Which output to explain.
    layer
        Whose activations to weigh.

    Returns
    -------
    saliency
        Shape (h, w), in [0, 1]; all zero if nothing speaks for the class.

    Notes
    -----
    Selvaraju et al., Grad-CAM, 2017: the weight of a channel is the mean of the logit's gradient
    over the map.
    """
    twin = keras.Model(model.input, [model.get_layer(layer).output, model.output])
    image = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(image)
        features, logits = twin(image, training=False)
        logit = logits[0, class_index]
    weights = tf.reduce_mean(tape.gradient(logit, features), axis=(1, 2))
    saliency = tf.nn.relu(tf.einsum("hwk,k->hw", features[0], weights[0])).numpy()
    peak = float(saliency.max(initial=0.0))
    return np.asarray(saliency / peak if peak > 0 else saliency, dtype=np.float32)
