"""Evaluate a model: metrics with confidence intervals, baselines, curves, the worst errors.

::

    network   one interface for a trained network and a bundle
    score     run the network on images             → logits
    cases     calibrate; aggregate images to studies → probabilities
    figures   all metrics, by class and subgroup, with intervals
    results   metrics, curves, baselines, annotators: the content of figures.json
    publish   write the files, with the worst errors and the report
    internal  evaluate on the test split of the run;  external: on other data
"""

from training.evaluate.external import evaluate_other
from training.evaluate.internal import evaluate
from training.evaluate.publish import EvaluationResult

__all__ = ["EvaluationResult", "evaluate", "evaluate_other"]
