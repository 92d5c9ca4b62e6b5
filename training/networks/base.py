"""The protocol of a base: the part of a network below the head."""

from typing import Any, Protocol

import keras


class Base(Protocol):
    """A function that computes the last feature map of images."""

    def __call__(self, image: keras.KerasTensor, config: Any) -> keras.KerasTensor:  # noqa: ANN401
        """Apply the layers of the base.

        Parameters
        ----------
        image
            Shape (n, height, width, channels), float32, scaled as ``input.preprocess`` says.
        config
            The section ``[network]`` of the recipe: an object of the class that `BASES` maps to
            this function.

        Returns
        -------
        KerasTensor
            The last feature map, shape (n, h, w, k). The names of its layers start with the name of
            their block and an underscore, so that ``finetune.unfreeze`` can name blocks.

        Raises
        ------
        ConfigError
            If the configured weights do not fit, or their file is missing.
        """
