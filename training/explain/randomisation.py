"""A sanity check of heat maps: whether they change when the weights become random.

From the head to the image, block after block, the trained weights are replaced by random ones of
the same size: cascading randomisation (Adebayo et al., Sanity checks for saliency maps, 2018). A
map that stays the same shows the image, not what the network has learned.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import keras
import numpy as np
import numpy.typing as npt

from pacs_ai.model.gradcam import gradcam
from training.evaluate.network import TrainedNetwork
from training.explain.faithfulness import gaussian
from training.networks.head import split_head
from training.report.pictures import stretch

Floats = npt.NDArray[np.float32]
Maps = list[Floats]

LIMIT = 0.5
"""Rank correlation above which a map of random weights is like the trained one."""

_SEED = 29
_GROUPS = 5
_AT_ONCE = 64
_WINDOW = 1.5  # pixels, Wang et al. (2004)
_K1, _K2 = 0.01, 0.03
_MATRIX = 2


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the cascade: its name, and the layers whose weights become random in it."""

    name: str
    layers: tuple[keras.layers.Layer, ...]


@dataclass(slots=True)
class Similarity:
    """How like the trained maps those of a step are: a value in [-1, 1] for each image."""

    step: str
    rank_correlation: list[float] = field(default_factory=list)
    ssim: list[float] = field(default_factory=list)


def cascade(network: keras.Model) -> list[Step]:
    """Divide the layers with weights into the head and at most five groups of blocks, top first.

    The names of the layers of a block start with the name of the block and an underscore.
    """
    _, dense = split_head(network)
    blocks: dict[str, list[keras.layers.Layer]] = {}
    for layer in reversed(network.layers):
        if layer.weights and layer is not dense:
            blocks.setdefault(layer.name.split("_")[0], []).append(layer)
    steps = [Step(dense.name, (dense,))]
    groups = min(_GROUPS, len(blocks))
    for names in np.array_split(np.array(list(blocks), dtype=object), groups) if groups else ():
        named = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        steps.append(Step(named, tuple(layer for name in names for layer in blocks[name])))
    return steps


def randomise(layer: keras.layers.Layer, rng: np.random.Generator) -> None:
    """Replace the weights of a layer by random ones of the same size.

    Kernels are drawn from a normal distribution with the root mean square of the trained one, so
    that activations neither vanish nor overflow. The values of vectors (biases, batch
    normalisation) change their places.
    """
    replaced = []
    for values in layer.get_weights():
        if values.ndim >= _MATRIX:
            size = float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
            values = rng.normal(0.0, size, values.shape).astype(values.dtype)  # noqa: PLW2901
        else:
            values = rng.permutation(values)  # noqa: PLW2901
        replaced.append(values)
    layer.set_weights(replaced)


@contextmanager
def restored(network: keras.Model) -> Iterator[None]:
    """Give a network its weights back when the block ends."""
    trained = network.get_weights()
    try:
        yield
    finally:
        network.set_weights(trained)


def compare_with_random(
    network: keras.Model, x: Floats, classes: Sequence[int]
) -> tuple[list[Similarity], list[Maps]]:
    """Compare the heat maps of a network with those after each step of the cascade.

    Parameters
    ----------
    network
        The trained network; it has its weights again afterwards.
    x
        Its input, shape (n, height, width, channels).
    classes
        The class whose map is compared, for each image.

    Returns
    -------
    tuple
        For each step the similarities, of the images whose trained map is not flat. And the maps of
        all images, first the trained ones, then those of each step.
    """
    classifier = TrainedNetwork(network)
    rng = np.random.default_rng(_SEED)
    maps, found = [_maps(network, classifier, x, classes)], []
    with restored(network):
        for step in cascade(network):
            for layer in step.layers:
                randomise(layer, rng)
            maps.append(_maps(network, classifier, x, classes))
            found.append(_similarity(step.name, maps[0], maps[-1], x.shape[1:3]))
    return found, maps


def _maps(
    network: keras.Model, classifier: TrainedNetwork, x: Floats, classes: Sequence[int]
) -> Maps:
    kernel = np.asarray(split_head(network)[1].kernel.numpy(), dtype=np.float32)
    features = np.concatenate(
        [classifier.predict(x[at : at + _AT_ONCE])[1] for at in range(0, len(x), _AT_ONCE)]
    )
    return [gradcam(each, kernel[:, k]) for each, k in zip(features, classes, strict=True)]


def _similarity(name: str, trained: Maps, random: Maps, size: tuple[int, int]) -> Similarity:
    found = Similarity(name)
    for one, other in zip(trained, random, strict=True):
        if np.ptp(one) > 0:
            found.rank_correlation.append(rank_correlation(one, other))
            found.ssim.append(ssim(stretch(one, *size), stretch(other, *size)))
    return found


def rank_correlation(one: Floats, other: Floats) -> float:
    """Compute Spearman's rank correlation of two maps, in [-1, 1]; 0 if one of them is flat."""
    a, b = (_ranks(each.ravel()) for each in (one, other))
    a, b = a - a.mean(), b - b.mean()
    norm = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / norm) if norm > 0 else 0.0


def _ranks(values: Floats) -> npt.NDArray[np.float64]:
    """Return the ranks of values; equal values get the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place])


def ssim(one: Floats, other: Floats) -> float:
    """Compute the structural similarity of two maps in [0, 1], shape (h, w); 1 if they are equal.

    Notes
    -----
    Wang et al., Image quality assessment: from error visibility to structural similarity, 2004:
    Gaussian window of 1.5 pixels, range of values 1.
    """
    down, across = (gaussian(size, _WINDOW) for size in one.shape)

    def local(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(down @ values @ across.T)

    a, b = one.astype(np.float64), other.astype(np.float64)
    mean_a, mean_b = local(a), local(b)
    var_a, var_b = local(a * a) - mean_a**2, local(b * b) - mean_b**2
    both = local(a * b) - mean_a * mean_b
    light = (2 * mean_a * mean_b + _K1**2) / (mean_a**2 + mean_b**2 + _K1**2)
    structure = (2 * both + _K2**2) / (var_a + var_b + _K2**2)
    return float((light * structure).mean())
