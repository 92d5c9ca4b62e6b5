"""Run a network on images, in batches that fit into memory."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

from pacs_ai.model.spec import InputSpec
from training.data.read import Images, load_images
from training.data.samples import Sample
from training.evaluate.cases import Scores
from training.evaluate.network import Classifier
from training.evaluate.served import served_images
from training.recipe.recipe import Recipe

_BATCH = 64
_MEMORY = 2**28
_KEY_DIGITS = 12

Batch = tuple[Sequence[Sample], Images, npt.NDArray[np.float32], npt.NDArray[np.float32]]
"""Samples, their images, logits (n, classes) and last features (n, h, w, k)."""


def run_batches(
    network: Classifier, samples: Sequence[Sample], spec: InputSpec, workers: int
) -> Iterator[Batch]:
    """Read samples, as many as fit into 256 MiB at a time, and run a network on 64 at once."""
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
    studies: Mapping[str, Sequence[Path]] | None = None,
) -> Scores:
    """Compute the logits of all samples, and of what else the node shows of their studies.

    Parameters
    ----------
    network
        The network.
    samples
        n samples.
    recipe
        Has the input of the network, and the number of reading processes.
    watch
        Called with the images of each batch.
    studies
        See `Dataset`.
    """
    served = served_images(samples, studies or {}, recipe)
    samples, logits = (*samples, *served.added), []
    batches = run_batches(network, samples, recipe.input, recipe.feeding.workers)
    console = Console(stderr=True)
    shown = track(
        batches,
        "Running the network",
        total=-(-len(samples) // _BATCH),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    for _, images, found, _ in shown:
        logits.append(found)
        if watch is not None:
            watch(images)
    made = make_scores(samples, np.concatenate(logits).astype(np.float64), len(recipe.classes))
    return replace(made, places=served.places, added=len(served.added))


def make_scores(samples: Sequence[Sample], logits: npt.NDArray[np.float64], classes: int) -> Scores:
    """Combine logits, shape (n, classes), with labels and subgroups of their samples."""
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
        units=tuple(unit_key(sample) for sample in samples),
        logits=logits,
        truth=truth,
        groups={kind: tuple(s.groups.get(kind, "") for s in samples) for kind in kinds},
        votes=votes,
    )


def image_key(sample: Sample) -> str:
    """Return the key of an image in files and reports: 12 hexadecimal digits."""
    return _digest(f"{sample.instance or sample.path.as_posix()}#{sample.frame}")


def unit_key(sample: Sample) -> str:
    """Return the key of the study of an image, or of the picture: 12 hexadecimal digits."""
    return _digest(sample.unit)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY_DIGITS]
