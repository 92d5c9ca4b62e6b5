"""Networks of keras.applications, and their weights."""

import re
import socket
import warnings
from collections.abc import Callable
from pathlib import Path

import keras
from keras import applications

from pacs_ai.errors import ConfigError, PeerUnreachable
from training.recipe.learning import Backbone

_MAKERS: dict[str, Callable[..., keras.Model]] = {
    "resnet50": applications.ResNet50,
    "resnet50v2": applications.ResNet50V2,
    "resnet101": applications.ResNet101,
    "vgg16": applications.VGG16,
    "densenet121": applications.DenseNet121,
    "efficientnetb0": applications.EfficientNetB0,
}

_URL = re.compile(r"https?://[^\s:]+(?::\d+)?[^\s:]*")
_ANSWER_SECONDS = 60


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
        If a file of weights is missing or of another network, or the image is too small.
    PeerUnreachable
        If ImageNet's weights cannot be downloaded; the message says what to put where.
    """
    maker = _MAKERS[config.architecture]
    try:
        if config.weights == "imagenet":
            return _downloaded(maker, image).output
        base = maker(include_top=False, weights=None, input_tensor=image)
    except ValueError as error:
        raise ConfigError(f"{config.architecture} does not take this input: {error}") from error
    if config.weights.endswith(".h5"):
        _load(base, Path(config.weights))
    return base.output


def _downloaded(maker: Callable[..., keras.Model], image: keras.KerasTensor) -> keras.Model:
    """Build a network with ImageNet weights, which keras.applications downloads."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(
        _ANSWER_SECONDS
    )  # a firewall that drops packets would block without end
    try:
        return maker(include_top=False, weights="imagenet", input_tensor=image)
    except (ConfigError, ValueError):
        raise
    except Exception as error:
        found = _URL.search(str(error))
        url = found[0] if found else "the file that keras.applications names"
        name = url.rsplit("/", 1)[-1]
        raise PeerUnreachable(
            f"ImageNet weights cannot be downloaded here. On a machine that can, fetch {url}, then "
            f"set network.weights to the path of the file, or put it at ~/.keras/models/{name}"
        ) from error
    finally:
        socket.setdefaulttimeout(before)


def _load(base: keras.Model, path: Path) -> None:
    """Read a file of weights as keras.applications offers them (without top)."""
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
