"""Statistics by which a bundle tells images that are unlike those it learned from.

Fitted once, at export, on what the network makes of its training images; the node computes one
small product for each image (`pacs_ai.model.outlier`). The two steps of an export::

    statistics = fit(pooled_training, labels_training)
    entry = choose_limit(statistics, pooled_validation)
    write(folder, statistics)            # outlier.npy, to be named in [sha256]
    lines += manifest_section(entry)     # [outlier] of model.toml

*Pooled* are the inputs of the last dense layer: the mean over the last feature map, shape (n, k),
with dropout off. They may come from Keras or from the exported network (`pool`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from pacs_ai.errors import ExportMismatch
from pacs_ai.model.bundle import OUTLIER
from pacs_ai.model.outlier import OutlierEntry, Outliers, broken

Floats = npt.NDArray[np.float32]

QUANTILE = 0.99
"""Of the validation images, so many lie within the limit."""

_FEWEST = 20  # images that make a group of their own
_SHRINK = 1e-3  # of the mean variance, added to all: channels that never move would blow up


def fit(features: Floats, labels: npt.NDArray[np.generic]) -> Floats:
    """Fit the statistics to training images.

    Parameters
    ----------
    features
        Pooled features, shape (n, k).
    labels
        Which classes each image shows, shape (n, classes), 0 or 1; or class indices, shape (n,).

    Returns
    -------
    Floats
        Shape (groups + k, k): the mean of each group of images with the same labels, then the
        whitening matrix of the covariance they share. Label sets of fewer than 20 images form one
        group together.

    Raises
    ------
    ExportMismatch
        If there are no more images than features: no covariance can be told from them.
    """
    x = np.asarray(features, dtype=np.float64)
    if len(x) <= x.shape[1]:
        raise ExportMismatch(f"{len(x)} images are too few for statistics of {x.shape[1]} features")
    groups = _groups(labels)
    means = np.stack([x[groups == group].mean(axis=0) for group in np.unique(groups)])
    residuals = x - means[groups]
    covariance = residuals.T @ residuals / len(x)
    spread = max(float(np.trace(covariance)) / len(covariance), float(np.finfo(np.float32).tiny))
    covariance += _SHRINK * spread * np.eye(len(covariance))
    values, vectors = np.linalg.eigh(covariance)
    whiten = (vectors / np.sqrt(values)).T
    return np.concatenate([means, whiten]).astype(np.float32)


def choose_limit(
    statistics: Floats,
    features: Floats,
    quantile: float = QUANTILE,
    policy: Literal["flag", "withhold"] = "flag",
) -> OutlierEntry:
    """Choose the distance above which an image counts as unlike those of training.

    Parameters
    ----------
    statistics
        From `fit`.
    features
        Pooled features of the validation images, shape (n, k): of the same kind as training, yet
        not learned from.
    quantile
        Share of them that lie within the limit.
    policy
        What the node does with a study beyond it.
    """
    distances = Outliers(statistics, OutlierEntry(limit=1.0)).score(features)
    return OutlierEntry(limit=round(float(np.quantile(distances, quantile)), 4), policy=policy)


def pool(feature_maps: Floats) -> Floats:
    """Pool last feature maps, shape (n, h, w, k), as the head does: shape (n, k)."""
    return np.asarray(feature_maps.mean(axis=(1, 2)), dtype=np.float32)


def write(folder: Path, statistics: Floats) -> None:
    """Write ``outlier.npy`` of a bundle.

    Raises
    ------
    ExportMismatch
        If the node would refuse it.
    """
    if wrong := broken(statistics, statistics.shape[-1]):
        raise ExportMismatch(f"{OUTLIER} {wrong}")
    np.save(folder / OUTLIER, statistics)


def manifest_section(entry: OutlierEntry) -> list[str]:
    """Lines of ``model.toml``; they stand between ``[input]`` and ``[[classes]]``."""
    return ["", "[outlier]", f"limit = {entry.limit}", f'policy = "{entry.policy}"']


def _groups(labels: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    """Give each image the number of its group: one a label set, the rare ones together."""
    rows = np.asarray(labels).reshape(len(labels), -1)
    _, found, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    sets = found.reshape(-1)
    rare = counts < _FEWEST
    names: Sequence[int] = np.where(rare, -1, np.arange(len(counts)))[sets].tolist()
    _, groups = np.unique(names, return_inverse=True)
    return np.asarray(groups, dtype=np.int64)
