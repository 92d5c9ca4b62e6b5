"""How the probabilities of images become those of their study. Serving and evaluation share it.

``max``, ``mean``, ``top-k-mean`` with a number for k, and ``noisy-or``. For sigmoid each class is
combined by itself. For softmax the result is a probability vector again: it sums to 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

Table = npt.NDArray[np.float64]

Aggregation = Annotated[str, Field(pattern=r"^(max|mean|noisy-or|top-([2-9]|[1-9]\d{1,2})-mean)$")]
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

    def scores(self, table: Table) -> Table:
        """Return for each image its highest probability of a finding, shape (n,)."""
        return np.asarray(table[:, self._findings].max(axis=1))

    def combine(self, table: Table, scores: Table | None = None) -> Table:
        """Combine the probabilities of the images of a study.

        Parameters
        ----------
        table
            Shape (n, classes), n at least 1, in [0, 1]; for softmax each row sums to 1.
        scores
            What ranks the images for softmax, shape (n,); by default `scores`.

        Returns
        -------
        NDArray
            Shape (classes,), in [0, 1]; for softmax it sums to 1.

        Notes
        -----
        ``max``: for softmax the row of the first image, for sigmoid the highest of each class.

        ``top-k-mean``: the mean of the k highest of each class, or for softmax of the rows of the
        first k images. With fewer than k images it is the mean of all.

        ``noisy-or``: the probability that at least one image shows the finding, if the images erred
        independently: 1 - product of (1 - p). A class that is no finding holds for a study if it
        holds for all images, so that for sigmoid it is the product of p. For softmax a finding is
        any of the positive classes. The share of the findings, 1 - product of (1 - p of any), is
        divided among them in proportion to the noisy-or of each, and the rest among the other
        classes in proportion to their means. For one image, and for one finding, this is the plain
        rule (Pearl, Probabilistic Reasoning in Intelligent Systems, 1988).
        """
        if self.aggregation == "mean":
            return np.asarray(table.mean(axis=0))
        if self.aggregation == "noisy-or":
            softmax = self.activation == "softmax"
            return self._shared_noisy_or(table) if softmax else self._noisy_or(table)
        count = 1 if self.aggregation == "max" else int(self.aggregation.split("-")[1])
        if self.activation == "sigmoid":
            return np.asarray(np.sort(table, axis=0)[-count:].mean(axis=0))
        ranked = np.argsort(-(self.scores(table) if scores is None else scores), kind="stable")
        return np.asarray(table[ranked[:count]].mean(axis=0))

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
