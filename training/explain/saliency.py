"""Heat maps of a network with a pooled linear head, all in closed form.

With logit = mean(features) . weights + bias, the gradient of the logit with respect to a feature is
weight / (h * w). A test compares the closed forms with automatic differentiation.
"""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from pacs_ai.model.gradcam import gradcam

Floats = npt.NDArray[np.float32]


def cam(features: Floats, class_weights: Floats) -> Floats:
    """Compute the class activation map; what is evidence against the class is cold.

    Parameters
    ----------
    features
        Last activations of one image, shape (h, w, k).
    class_weights
        Weights of the class in the last layer, shape (k,).

    Returns
    -------
    Floats
        Shape (h, w), from 0 (lowest) to 1 (highest); all zero if the map is flat.

    Notes
    -----
    Zhou et al., Learning deep features for discriminative localization, 2016.
    """
    found: Floats = features @ class_weights
    low, high = float(found.min()), float(found.max())
    return (found - low) / (high - low) if high > low else np.zeros_like(found)


def gradcam_plus_plus(features: Floats, class_weights: Floats) -> Floats:
    """Compute Grad-CAM++: channels that are active in few places have a higher weight.

    Parameters and result as for Grad-CAM: shape (h, w), in [0, 1].

    Notes
    -----
    Chattopadhay et al., Grad-CAM++, 2018, equation 19. The gradient g of a channel is the same
    everywhere, so its alpha is g^2 / (2 g^2 + g^3 sum(A)) = 1 / (2 + g sum(A)), and only
    channels with positive weight take part.
    """
    pooled = features.mean(axis=(0, 1))
    positive = np.maximum(class_weights, 0.0)
    below = 2.0 + positive * pooled
    weights = np.where(below > 0, positive / np.where(below > 0, below, 1.0), 0.0)
    return gradcam(features, weights.astype(np.float32))


METHODS: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "CAM": cam,
    "Grad-CAM": gradcam,
    "Grad-CAM++": gradcam_plus_plus,
}
"""Heat map methods by name."""
