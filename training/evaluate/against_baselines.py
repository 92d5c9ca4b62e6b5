"""Whether the best epoch is better than the baselines, on the split that chose it."""

from collections.abc import Iterator, Mapping

import numpy as np

from pacs_ai.model.predict import activate
from pacs_ai.statistics import metrics
from pacs_ai.statistics.bootstrap import bootstrap, interval
from pacs_ai.statistics.cases import Question
from pacs_ai.statistics.metrics import Floats
from training.evaluate.cases import Scores


def warnings(
    validation: Scores, question: Question, baselines: Mapping[str, Floats], resamples: int
) -> Iterator[str]:
    """Say of which baselines the network is no better.

    Parameters
    ----------
    validation
        The scores of the validation split.
    question
        The classification task.
    baselines
        The logits of each baseline on the same images.
    resamples
        Number of draws of patients.

    Yields
    ------
    str
        One sentence for each baseline whose AUC the network does not exceed: the 95 % interval of
        the difference is not above 0. A network with an AUC of 1 is not named. The AUC is the mean
        over the classes that some images have and others lack.
    """
    own = slice(validation.labelled)
    truth = validation.truth[own]
    classes = [k for k in question.headline if truth[:, k].any() and not truth[:, k].all()]
    if not classes:
        yield "NOT KNOWN TO BE BETTER THAN A BASELINE: validation holds one class only"
        return
    tables = {
        name: activate(logits[own].astype(np.float32), question.activation, 1.0)
        for name, logits in {"network": validation.logits, **baselines}.items()
    }

    def measure(weights: Floats) -> dict[str, Floats]:
        return {
            name: np.mean([metrics.auc(table[:, k], truth[:, k], weights) for k in classes], axis=0)
            for name, table in tables.items()
        }

    drawn = bootstrap(measure, validation.patients[own], resamples)
    for name in baselines:
        gain = interval(drawn["network"] - drawn[name])
        if gain.low > 0 or drawn["network"][0] == 1.0:  # nothing is better than 1
            continue
        yield (
            f"NO BETTER THAN A BASELINE: on validation the AUC of the best epoch is "
            f"{drawn['network'][0]:.3f}, that of the baseline {name} {drawn[name][0]:.3f}; the "
            f"difference {gain.value:+.3f} (95 % interval {gain.low:+.3f} to {gain.high:+.3f}) is "
            "not above 0"
        )
