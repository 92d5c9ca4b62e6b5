"""Statistics by which the node recognises images unlike those of training.

They are fitted at export on the pooled features of the training images. The node computes one small
matrix product for each image (`pacs_ai.model.outlier`). The steps of an export::

    statistics = fit(pooled_training, labels_training)
    entry = choose_limit(statistics, pooled_validation)   # [outlier] of model.toml
    write(folder, statistics)                             # outlier.npy

*Pooled* is the mean over the last feature map, shape (n, k), with dropout off, or those of its
channels that were appended for this purpose (`training.networks.middle`). It may come from Keras or
from the exported network (`pool`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from pacs_ai.errors import ExportMismatch
from pacs_ai.model.bundle import OUTLIER
from pacs_ai.model.outlier import OutlierEntry, Outliers, statistics_fault

Floats = npt.NDArray[np.float32]

QUANTILE = 0.99
"""Share of the validation images that are within the limit."""

FEWEST = 20
"""Images that statistics need, and each group of them."""

_MOST = 1 << 22
"""Values that the covariances of all groups may have together, 16 MiB; else they share one."""

_SHRINK = 1e-3  # of the mean variance, added to each: a constant channel would make it singular


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
        Shape (groups, 1 + k, k): of each group of images with the same labels the mean, then the
        whitening matrix of its covariance. Label sets of fewer than 20 images form one group
        together. Where the matrices would have more than four million values, shape
        (groups + k, k): the means, then the matrix of the covariance that all share.

    Raises
    ------
    ExportMismatch
        If there are fewer than `FEWEST` images.

    Notes
    -----
    The covariance of all is drawn towards a multiple of the unit matrix, the more the fewer images
    there are (Ledoit and Wolf, A well-conditioned estimator for large-dimensional covariance
    matrices, 2004). That of a group is drawn in the same way towards a multiple of that of all.
    """
    x = np.asarray(features, dtype=np.float64)
    if len(x) < FEWEST:
        raise ExportMismatch(f"{len(x)} images are too few for statistics of the features")
    groups = _groups(labels)
    numbers = np.unique(groups)
    means = np.stack([x[groups == group].mean(axis=0) for group in numbers])
    residuals = x - means[groups]
    common = _whitening(residuals)
    if common.size * len(numbers) > _MOST:
        return np.concatenate([means, common]).astype(np.float32)
    alike = residuals @ common.T  # all groups together have the unit matrix here
    own = [_whitening(alike[groups == group]) @ common for group in numbers]
    return np.concatenate([means[:, None], np.stack(own)], axis=1).astype(np.float32)


def _whitening(residuals: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the matrix that makes the covariance of residuals the unit matrix, shape (k, k)."""
    covariance = residuals.T @ residuals / len(residuals)
    spread = max(float(np.trace(covariance)) / len(covariance), float(np.finfo(np.float32).tiny))
    shrink = max(_shrinkage(residuals, covariance), _SHRINK)
    covariance = (1 - shrink) * covariance + shrink * spread * np.eye(len(covariance))
    values, vectors = np.linalg.eigh(covariance)
    whiten: npt.NDArray[np.float64] = (vectors / np.sqrt(values)).T
    return whiten


def _shrinkage(residuals: npt.NDArray[np.float64], covariance: npt.NDArray[np.float64]) -> float:
    """Return how far the covariance is drawn to the unit matrix, in [0, 1]."""
    n, size = residuals.shape
    squared = float((covariance**2).sum())
    away = squared - float(np.trace(covariance)) ** 2 / size
    noise = (float(((residuals**2).sum(axis=1) ** 2).sum()) / n - squared) / n
    return min(noise / away, 1.0) if away > 0 else 1.0


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
        Pooled features of the validation images, shape (n, k).
    quantile
        Share of them that are within the limit.
    policy
        What the node does with a study beyond the limit.
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
    if wrong := statistics_fault(statistics, statistics.shape[-1]):
        raise ExportMismatch(f"{OUTLIER} {wrong}")
    np.save(folder / OUTLIER, statistics)


def _groups(labels: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    """Return the group of each image: one for each label set, and one for all rare sets."""
    rows = np.asarray(labels).reshape(len(labels), -1)
    _, found, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    sets = found.reshape(-1)
    rare = counts < FEWEST
    names: Sequence[int] = np.where(rare, -1, np.arange(len(counts)))[sets].tolist()
    _, groups = np.unique(names, return_inverse=True)
    return np.asarray(groups, dtype=np.int64)
