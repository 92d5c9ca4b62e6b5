"""How far an image lies from the images of training: the Mahalanobis distance of its features.

The statistics are about the last m of the pooled features: in newer bundles these come from the
middle of the network (docs/adr/0026-images-of-another-kind-are-told-in-the-middle.md). Those of
training form one cluster for each class and modality, with a common covariance. The probabilities
of an image that is far from every cluster mean nothing, even if they are high.

Lee et al., A simple unified framework for detecting out-of-distribution samples, 2018.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

Floats = npt.NDArray[np.float32]


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
        Shape (groups + m, m), float32: the mean of each group of training images, then the matrix
        that makes their common covariance the unit matrix.
    entry
        Limit and policy.
    """

    def __init__(self, statistics: Floats, entry: OutlierEntry) -> None:
        self.entry = entry
        self._whiten = statistics[-statistics.shape[1] :]
        self._means = statistics[: -statistics.shape[1]] @ self._whiten.T

    @property
    def channels(self) -> int:
        """Number m of features that count: the last ones."""
        return int(self._whiten.shape[1])

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
        offsets = (features[:, -self.channels :] @ self._whiten.T)[:, None, :] - self._means[None]
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
    if statistics.ndim != 2 or not 0 < statistics.shape[1] <= channels:  # noqa: PLR2004 - a matrix
        return f"must have shape (groups + m, m), with m from 1 to {channels}"
    if len(statistics) <= statistics.shape[1]:
        return "must hold at least one group"
    return ""
