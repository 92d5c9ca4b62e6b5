"""Let a network look at images, a few at a time, so that no data set is too large."""

import hashlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

from pacs_ai.model.spec import InputSpec
from training.data.read import Images, load_images
from training.data.samples import Sample
from training.evaluate.cases import Scores
from training.evaluate.network import Classifier
from training.recipe.recipe import Recipe

_BATCH = 64
_MEMORY = 2**28
_KEY_DIGITS = 12

Seen = tuple[Sequence[Sample], Images, npt.NDArray[np.float32], npt.NDArray[np.float32]]
"""Samples, what was read of them, and the network's logits and features."""


def look(
    network: Classifier, samples: Sequence[Sample], spec: InputSpec, workers: int
) -> Iterator[Seen]:
    """Read samples, as many at a time as memory allows, and let a network look at 64 at once."""
    size = 4 * spec.height * spec.width * spec.channels
    many = max(1, _MEMORY // (size * _BATCH)) * _BATCH
    for first in range(0, len(samples), many):
        some = samples[first : first + many]
        read = load_images(some, spec, len(network.class_weights), workers)
        for start in range(0, len(some), _BATCH):
            part = slice(start, start + _BATCH)
            images = Images(read.x[part], read.inside[part], read.y[part])
            logits, features = network.predict(images.x)
            yield some[part], images, logits, features


def score(
    network: Classifier,
    samples: Sequence[Sample],
    recipe: Recipe,
    watch: Callable[[Images], None] | None = None,
) -> Scores:
    """Compute the logits of all samples.

    Parameters
    ----------
    network
        What is judged.
    samples
        What it looks at, n of them.
    recipe
        What the network takes, and how it is read.
    watch
        Is shown what was read, batch by batch, before it is forgotten.
    """
    logits = []
    seen = look(network, samples, recipe.input, recipe.feeding.workers)
    console = Console(stderr=True)
    shown = track(
        seen,
        "looking",
        total=-(-len(samples) // _BATCH),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    for _, images, found, _ in shown:
        logits.append(found)
        if watch is not None:
            watch(images)
    return describe(samples, np.concatenate(logits).astype(np.float64), len(recipe.classes))


def describe(samples: Sequence[Sample], logits: npt.NDArray[np.float64], classes: int) -> Scores:
    """Put logits, shape (n, classes), together with what is known of the samples."""
    truth = np.zeros((len(samples), classes), dtype=bool)
    for row, sample in zip(truth, samples, strict=True):
        row[list(sample.labels)] = True
    raters = max((len(sample.votes) for sample in samples), default=0)
    votes = np.full((len(samples), raters), -1, dtype=np.int64)
    for index, sample in enumerate(samples):
        votes[index, : len(sample.votes)] = sample.votes
    kinds = sorted({kind for sample in samples for kind in sample.groups})
    return Scores(
        images=tuple(image_key(sample) for sample in samples),
        patients=tuple(sample.key for sample in samples),
        units=tuple(_digest(sample.unit) for sample in samples),
        logits=logits,
        truth=truth,
        groups={kind: tuple(s.groups.get(kind, "") for s in samples) for kind in kinds},
        votes=votes,
    )


def image_key(sample: Sample) -> str:
    """Make the name that stands for an image in files and reports."""
    return _digest(f"{sample.instance or sample.path.as_posix()}#{sample.frame}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY_DIGITS]
