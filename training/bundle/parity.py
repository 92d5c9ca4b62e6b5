"""Compare an exported network with the trained one."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from pacs_ai.errors import ExportMismatch
from pacs_ai.model.runtime import Runtime
from pacs_ai.statistics import metrics
from pacs_ai.statistics.metrics import Floats, Truths
from training.data.samples import Sample
from training.evaluate.network import TrainedNetwork
from training.evaluate.score import run_batches
from training.recipe.evaluation import Export
from training.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Parity:
    """Differences between two networks on the same images.

    ``logits`` and ``features`` are the largest absolute differences. ``relative`` is the larger
    one of them, each divided by the largest value of its kind (at least 1). ``auc`` is the largest
    difference of the AUC of a class; None if no class has positive and negative cases.
    """

    images: int
    logits: float
    features: float
    relative: float
    auc: float | None

    def to_dict(self) -> dict[str, object]:
        """Return values for JSON, rounded to three digits."""
        return {
            name: float(f"{value:.3g}") if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }

    def check(self, limits: Export) -> None:
        """Refuse a difference above the limits of the recipe.

        Raises
        ------
        ExportMismatch
            If a difference is above its limit, or is not a number.
        """
        if not self.relative <= limits.parity_limit:
            raise ExportMismatch(
                f"the exported network differs by {self.relative:.2g} of the largest value, "
                f"allowed is {limits.parity_limit:.0e} (export.parity_limit)"
            )
        if self.auc is not None and not self.auc <= limits.auc_limit:
            raise ExportMismatch(
                f"the AUC of the exported network differs by {self.auc:.2g}, "
                f"allowed is {limits.auc_limit:g} (export.auc_limit)"
            )


def compare(
    network: TrainedNetwork, runtime: Runtime, samples: Sequence[Sample], recipe: Recipe
) -> Parity:
    """Run the trained and the exported network on the same images.

    Parameters
    ----------
    network
        The trained network.
    runtime
        The exported network, run as the node runs it: image by image.
    samples
        The samples; at most ``export.probe_images`` of them are used, evenly spaced.
    recipe
        Has the input of the networks.
    """
    most = min(len(samples), recipe.export.probe_images)
    chosen = np.unique(np.linspace(0, len(samples) - 1, most).astype(int))
    some = [samples[i] for i in chosen]
    far, large = np.zeros(2), np.ones(2)
    ours, theirs, truth = [], [], []
    for _, images, logits, features in run_batches(network, some, recipe.input, 1):
        for row in range(len(logits)):
            served = runtime.predict(images.x[row : row + 1])
            for kind, (a, b) in enumerate(zip(served, (logits, features), strict=True)):
                far[kind] = max(far[kind], np.abs(a[0] - b[row]).max())
                large[kind] = max(large[kind], np.abs(b[row]).max())
            theirs.append(served[0][0])
        ours.append(logits)
        truth.append(images.y > 0)
    return Parity(
        images=len(some),
        logits=float(far[0]),
        features=float(far[1]),
        relative=float((far / large).max()),
        auc=auc_difference(
            np.concatenate(ours).astype(np.float64),
            np.array(theirs, dtype=np.float64),
            np.concatenate(truth),
        ),
    )


def auc_difference(ours: Floats, theirs: Floats, truth: Truths) -> float | None:
    """Find the largest absolute difference of the AUC of a class between two networks.

    Parameters
    ----------
    ours, theirs
        Logits or probabilities, shape (n, classes).
    truth
        Shape (n, classes).

    Returns
    -------
    float or None
        None if no class has positive and negative cases.
    """
    once = np.ones((1, len(truth)))
    differences = [
        abs(
            metrics.auc(ours[:, k], truth[:, k], once)[0]
            - metrics.auc(theirs[:, k], truth[:, k], once)[0]
        )
        for k in range(truth.shape[1])
        if truth[:, k].any() and not truth[:, k].all()
    ]
    return float(max(differences)) if differences else None
