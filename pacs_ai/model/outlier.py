"""How far an image lies from the images of training: the Mahalanobis distance of its features.

The statistics are about the last m of the pooled features: in newer bundles these come from the
middle of the network (docs/adr/0026-images-of-another-kind-are-told-in-the-middle.md). Those of
training form one cluster for each class and modality. Each has a covariance of its own; in
earlier bundles they have one in common. The probabilities of an image that is far from every
cluster mean nothing, even if they are high.

Lee et al., A simple unified framework for detecting out-of-distribution samples, 2018.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

Floats = npt.NDArray[np.float32]

_IN_COMMON, _OF_EACH_GROUP = 2, 3
"""Axes of the statistics: all groups have one matrix, or each has its own."""


class OutlierEntry(BaseModel):
    """Section ``[outlier]`` of a bundle; the statistics lie beside it in ``outlier.npy``.

    Parameters
    ----------
    limit
        Distance above which an image is unlike those of training.
    policy
        ``flag``: the report says so. ``withhold``: there is no result.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: float = Field(gt=0.0)
    policy: Literal["flag", "withhold"] = "flag"


class Outliers:
    """Measures how far images lie from those of training.

    Parameters
    ----------
    statistics
        Float32. Shape (groups, 1 + m, m): of each group of training images the mean, then the
        matrix that makes its covariance the unit matrix. Or (groups + m, m): the means, then one
        matrix for all groups.
    entry
        Limit and policy.
    """

    def __init__(self, statistics: Floats, entry: OutlierEntry) -> None:
        self.entry = entry
        size = statistics.shape[-1]
        if statistics.ndim == _OF_EACH_GROUP:
            means, self._whiten = statistics[:, 0], statistics[:, 1:]
        else:
            means, self._whiten = statistics[:-size], statistics[None, -size:]
        self._means = np.matmul(self._whiten, means[:, :, None])[:, :, 0]

    @property
    def channels(self) -> int:
        """Number m of features that count: the last ones."""
        return int(self._whiten.shape[-1])

    @property
    def withholds(self) -> bool:
        """Tell whether a study of outliers gets no result."""
        return self.entry.policy == "withhold"

    def score(self, features: Floats) -> npt.NDArray[np.float64]:
        """Distance to the nearest group, relative to the limit.

        Parameters
        ----------
        features
            Pooled features, shape (n, k), with k at least m.

        Returns
        -------
        NDArray
            Shape (n,); above 1 the image is unlike those of training.
        """
        told = features[:, -self.channels :]
        offsets = np.stack([told @ matrix.T for matrix in self._whiten], axis=1) - self._means[None]
        distances = np.linalg.norm(offsets.astype(np.float64), axis=2).min(axis=1)
        return np.asarray(distances / self.entry.limit)


def statistics_fault(statistics: npt.NDArray[np.generic], channels: int) -> str:
    """Say what is wrong with the statistics of a bundle, "" if nothing is.

    Parameters
    ----------
    statistics
        As read from the file.
    channels
        Number k of features that the head takes.
    """
    if statistics.dtype != np.float32 or not np.isfinite(statistics).all():
        return "must hold finite float32 values"
    shape = statistics.shape
    of_each = len(shape) == _OF_EACH_GROUP and shape[1] == shape[2] + 1
    if not (of_each or len(shape) == _IN_COMMON) or not 0 < shape[-1] <= channels:
        form = "(groups, 1 + m, m) or (groups + m, m)"
        return f"must have shape {form}, with m from 1 to {channels}"
    if len(statistics) <= (0 if of_each else shape[-1]):
        return "must hold at least one group"
    return ""
