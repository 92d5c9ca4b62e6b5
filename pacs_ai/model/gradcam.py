"""Grad-CAM in closed form: for a pooled linear head the gradient is the head's own weights."""

import numpy as np
import numpy.typing as npt

from pacs_ai.errors import BundleInvalid


def gradcam(
    features: npt.NDArray[np.float32], class_weights: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Compute the heat map of one class.

    Parameters
    ----------
    features
        Last convolutional activations of one image, shape (h, w, k), after ReLU.
    class_weights
        Weights of the class in the final dense layer, shape (k,).

    Returns
    -------
    saliency
        Shape (h, w), in [0, 1]; all zero if nothing speaks for the class.

    Raises
    ------
    BundleInvalid
        If k differs between the two.

    Notes
    -----
    Selvaraju et al., Grad-CAM, 2017. With logit = mean(features) . weights + bias, the gradient of
    the logit with respect to a feature is weight / (h * w) everywhere, so the weighted sum needs
    no backward pass (ADR 0003); the factor falls out when the peak is scaled to 1.
    """
    if class_weights.shape != features.shape[2:]:
        raise BundleInvalid(
            f"head of {class_weights.shape[0]} weights does not fit "
            f"features of {features.shape[-1]} channels"
        )
    saliency: npt.NDArray[np.float32] = np.maximum(features @ class_weights, 0.0)
    peak = float(saliency.max(initial=0.0))
    if peak > 0.0:
        saliency /= np.float32(peak)
    return saliency
