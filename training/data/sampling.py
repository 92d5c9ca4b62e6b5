"""Sampling: the order of images in each epoch; it depends only on the seed, and can be resumed."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from training.data.samples import Sample
from training.recipe.data import Feeding

Indices = npt.NDArray[np.int64]
Weights = npt.NDArray[np.float32]


def steps_per_epoch(images: int, feeding: Feeding) -> int:
    """Return the number of full batches in an epoch."""
    count = feeding.images_per_epoch or max(images, feeding.least_images_per_epoch)
    return max(1, count // feeding.batch)


def batches(
    samples: Sequence[Sample], feeding: Feeding, seed: int, skip: int = 0
) -> Iterator[tuple[int, Indices]]:
    """Give batches of indices without end, epoch after epoch.

    Parameters
    ----------
    samples
        The samples.
    feeding
        Has the batch size, the images of an epoch, and the balance.
    seed
        Random seed.
    skip
        The number of batches to leave out at the start; it may end within an epoch.

    Yields
    ------
    tuple
        The number of the batch, from 0 over all epochs, and its sample indices, shape (batch,).
    """
    steps, groups = steps_per_epoch(len(samples), feeding), balance_groups(samples, feeding)
    number = skip
    while True:
        epoch, step = divmod(number, steps)
        order = draw_epoch(groups, feeding, steps * feeding.batch, seed, epoch)
        for first in range(step, steps):
            yield number, order[first * feeding.batch : (first + 1) * feeding.batch]
            number += 1


def draw_epoch(
    groups: Sequence[Indices], feeding: Feeding, count: int, seed: int, epoch: int
) -> Indices:
    """Draw the images of one epoch.

    With ``balance = "draw"`` each group gives the same number, rare groups by repetition. Without,
    each image is drawn once before any is drawn again.

    Returns
    -------
    Indices
        Shape (count,).
    """
    rng = np.random.default_rng([seed, epoch])
    if feeding.balance != "draw":
        every = rng.permutation(np.concatenate(groups))
        return np.resize(every, count)
    share = -(-count // len(groups))
    drawn = [np.resize(rng.permutation(group), share) for group in groups]
    return rng.permutation(np.concatenate(drawn))[:count]


def balance_groups(samples: Sequence[Sample], feeding: Feeding) -> list[Indices]:
    """List the images of each label, divided further by the subgroups in ``balance_by``."""
    members: dict[tuple[object, ...], list[int]] = {}
    for index, sample in enumerate(samples):
        values = (sample.groups.get(name, "") for name in feeding.balance_by)
        members.setdefault((sample.labels, *values), []).append(index)
    return [np.array(members[key], dtype=np.int64) for key in sorted(members)]


def balance_weights(samples: Sequence[Sample], feeding: Feeding) -> Weights | None:
    """Return weights by which all groups count the same; None without ``balance = "weight"``.

    Returns
    -------
    Weights
        Shape (n,), of mean 1.
    """
    if feeding.balance != "weight":
        return None
    groups = balance_groups(samples, feeding)
    weights = np.empty(len(samples), dtype=np.float32)
    for group in groups:
        weights[group] = len(samples) / (len(groups) * len(group))
    return weights
