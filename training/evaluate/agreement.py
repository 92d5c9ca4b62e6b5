"""Agreement of the annotators with each other: a model cannot be measured more exactly."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pacs_ai.statistics import metrics
from pacs_ai.statistics.bootstrap import Interval, intervals
from pacs_ai.statistics.cases import Cases
from pacs_ai.statistics.metrics import Floats
from training.evaluate.cases import Scores

_PAIR = 2


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement beyond chance: 1 is full agreement, 0 is that of chance.

    ``annotators`` is Fleiss' kappa over the images that at least two annotators labelled, or
    Cohen's kappa for exactly two annotators. ``model`` is Cohen's kappa of the model with each
    annotator.
    """

    images: int
    raters: int
    annotators: Interval
    model: tuple[Interval, ...]


def agreement(scores: Scores, images: Cases, resamples: int) -> Agreement | None:
    """Measure the agreement, if labels have the votes of several annotators; else None."""
    votes = scores.votes
    chosen = np.flatnonzero((votes >= 0).sum(axis=1) >= _PAIR)
    if not chosen.size:
        return None
    classes = len(images.question.classes)
    votes, said = votes[chosen], images.predicted[chosen]
    counts = np.stack([(votes == k).sum(axis=1) for k in range(classes)], axis=1).astype(np.float64)
    raters = votes.shape[1]

    def between(one: np.ndarray, other: np.ndarray, weights: Floats) -> Floats:
        both = (one >= 0) & (other >= 0)
        table = metrics.confusion(one[both], other[both], classes, weights[:, both])
        return metrics.kappa(table)

    def measure(weights: Floats) -> Mapping[str, Floats]:
        pair = raters == _PAIR
        found = {
            "annotators": between(votes[:, 0], votes[:, 1], weights)
            if pair
            else metrics.fleiss_kappa(counts, weights)
        }
        return found | {str(r): between(votes[:, r], said, weights) for r in range(raters)}

    found = intervals(measure, [scores.patients[i] for i in chosen], resamples)
    model = tuple(found[str(r)] for r in range(raters))
    return Agreement(int(chosen.size), raters, found["annotators"], model)
