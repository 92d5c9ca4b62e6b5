"""Networks of keras.applications, and their weights."""

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path

import keras
from keras import applications

from pacs_ai.errors import ConfigError
from training.networks.start import load_start
from training.pretrained.catalogue import KNOWN
from training.pretrained.folder import find_record, kept_by_keras
from training.recipe.learning import Backbone, ConvNeXt

Load = Callable[[keras.Model, Path], None]

_MAKERS: dict[str, Callable[..., keras.Model]] = {
    "resnet50": applications.ResNet50,
    "resnet50v2": applications.ResNet50V2,
    "resnet101": applications.ResNet101,
    "vgg16": applications.VGG16,
    "densenet121": applications.DenseNet121,
    "efficientnetb0": applications.EfficientNetB0,
}


def backbone(image: keras.KerasTensor, config: Backbone) -> keras.KerasTensor:
    """Compute the last feature map of an image with a network of keras.applications.

    Parameters
    ----------
    image
        Shape (n, height, width, channels); three channels for ImageNet's weights.
    config
        Which network, with which weights.

    Returns
    -------
    KerasTensor
        Shape (n, h, w, k).

    Raises
    ------
    ConfigError
        If weights are missing or of another network, or the image is too small.
    """
    base = build_base(config.architecture, image)
    start_base(base, config, load_file)
    return base.output


def build_base(architecture: str, image: keras.KerasTensor) -> keras.Model:
    """Build a network of keras.applications without its top, with random weights.

    Raises
    ------
    ConfigError
        If the image is too small for it.
    """
    try:
        return _MAKERS[architecture](include_top=False, weights=None, input_tensor=image)
    except ValueError as error:
        raise ConfigError(f"{architecture} does not take this input: {error}") from error


def start_base(base: keras.Model, config: Backbone | ConvNeXt, load: Load) -> None:
    """Give a base the weights that a recipe names; those of a run are loaded later.

    Parameters
    ----------
    base
        The layers below the head.
    config
        The section ``[network]``.
    load
        Reads a file of keras.applications into the base.

    Raises
    ------
    ConfigError
        If weights are missing, damaged or of another network.
    """
    if config.weights.endswith(".h5"):
        load(base, Path(config.weights))
    elif config.weights == "imagenet":
        kept = kept_by_keras(config.architecture)
        if find_record(config.architecture) is None and kept is not None:
            _check_digest(kept, KNOWN[config.architecture].digest)
            load(base, kept)
        else:
            load_start(base, config.architecture)


def _check_digest(path: Path, wanted: str) -> None:
    algorithm, digest = wanted.split(":")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found != digest:
        raise ConfigError(f"{path} is damaged: its {algorithm} is not {digest}")


def load_file(base: keras.Model, path: Path) -> None:
    """Read a file of weights as keras.applications offers them (without top).

    Raises
    ------
    ConfigError
        If the file is missing, or has weights of another network.
    """
    if not path.is_file():
        raise ConfigError(f"no weights at {path}, which network.weights names")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "error", UserWarning
            )  # a layer that stays random is an error here
            base.load_weights(path)
    except (OSError, ValueError, KeyError, UserWarning) as error:
        raise ConfigError(f"{path} does not hold weights of {base.name} without top") from error
