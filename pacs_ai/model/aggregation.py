"""How the probabilities of images become those of their study. Serving and evaluation share it.

``max``, ``mean``, ``top-k-mean`` with a number for k, and ``noisy-or``. For sigmoid each class is
combined by itself. For softmax the result is a probability vector again: it sums to 1. A softmax of
several findings is the exception: one image has one of them, but a study can have more. So each
finding is combined by itself, and the values of a study do not have to sum to 1.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

Table = npt.NDArray[np.float64]


def _aggregation(name: str) -> str:
    if not re.fullmatch(r"max|mean|noisy-or|top-([2-9]|[1-9][0-9]{1,2})-mean", name):
        said = "must be max, mean, noisy-or or top-N-mean, with N from 2 to 999"
        raise PydanticCustomError("aggregation", said)
    return name


Aggregation = Annotated[str, AfterValidator(_aggregation)]
"""``max``, ``mean``, ``noisy-or``, or for example ``top-3-mean``."""


@dataclass(frozen=True, slots=True)
class Combination:
    """How to combine images.

    Parameters
    ----------
    aggregation
        The rule.
    activation
        ``softmax``: the classes exclude each other. ``sigmoid``: each class stands by itself.
    positive
        For each class, whether it is a finding. If none is, all count as findings.
    """

    aggregation: Aggregation
    activation: str
    positive: Sequence[bool]

    @property
    def separate(self) -> bool:
        """Whether each finding of a study is combined by itself: it can have several of them."""
        return self.activation == "sigmoid" or sum(self.positive) > 1

    def scores(self, table: Table) -> Table:
        """Return for each image its highest probability of a finding, shape (n,)."""
        return np.asarray(table[:, self._findings].max(axis=1))

    def combine(self, table: Table) -> Table:
        """Combine the probabilities of the images of a study.

        Parameters
        ----------
        table
            Shape (n, classes), n at least 1, in [0, 1]; for softmax each row sums to 1.

        Returns
        -------
        NDArray
            Shape (classes,), in [0, 1]; for softmax with at most one finding it sums to 1.

        Notes
        -----
        ``max``: for softmax the row of the first image, for sigmoid the highest of each class. The
        first image is that of the highest probability of any finding.

        ``top-k-mean``: the mean of the k highest of each class, or for softmax of the rows of the
        first k images. With fewer than k images it is the mean of all.

        ``noisy-or``: the probability that at least one image shows the finding, if the images erred
        independently: 1 - product of (1 - p). A class that is no finding holds for a study if it
        holds for all images, so that for sigmoid it is the product of p. For softmax the product of
        the share of these classes is divided among them in proportion to their means. For one image
        this is the plain rule (Pearl, Probabilistic Reasoning in Intelligent Systems, 1988).

        For softmax with several findings these rules give the values of the other classes. Each
        finding gets what sigmoid would give it: on the first image alone another one can be small.
        """
        if self.aggregation == "mean":
            return np.asarray(table.mean(axis=0))
        if self.activation == "sigmoid":
            return self._each(table)
        together = self._together(table)
        return np.where(self._findings, self._each(table), together) if self.separate else together

    def _each(self, table: Table) -> Table:
        """Combine each class by itself."""
        if self.aggregation == "noisy-or":
            return self._noisy_or(table)
        return np.asarray(np.sort(table, axis=0)[-self._count :].mean(axis=0))

    def _together(self, table: Table) -> Table:
        """Combine classes that exclude each other to one vector, which sums to 1."""
        if self.aggregation == "noisy-or":
            return self._shared_noisy_or(table)
        ranked = np.argsort(-self.scores(table), kind="stable")
        return np.asarray(table[ranked[: self._count]].mean(axis=0))

    @property
    def _count(self) -> int:
        """How many images ``max`` and ``top-k-mean`` combine."""
        return 1 if self.aggregation == "max" else int(self.aggregation.split("-")[1])

    @property
    def _findings(self) -> npt.NDArray[np.bool_]:
        positive = np.array(self.positive, dtype=bool)
        return positive if positive.any() else ~positive

    def _noisy_or(self, table: Table) -> Table:
        found, held = 1.0 - np.prod(1.0 - table, axis=0), np.prod(table, axis=0)
        return np.asarray(np.where(self._findings, found, held))

    def _shared_noisy_or(self, table: Table) -> Table:
        findings = self._findings
        if findings.all():
            share, rest = 1.0, 0.0
        else:
            rest = float(np.prod(table[:, ~findings].sum(axis=1)))
            share = 1.0 - min(rest, 1.0)
        weights = np.where(findings, self._noisy_or(table), table.mean(axis=0))
        combined = np.zeros(table.shape[1])
        for part, members in ((share, findings), (1.0 - share, ~findings)):
            total = float(weights[members].sum())
            if total > 0.0:
                combined[members] = part * weights[members] / total
        return combined
