"""How good a model is, and how sure one may be of that.

::

    network   a trained network or a bundle, one face for both
    score     let it look at images           → logits
    cases     calibrate; put images together  → probabilities of images and studies
    figures   all figures, by class and subgroup, with intervals
    judge     figures, curves, baselines, annotators: the content of figures.json
    publish   write them down, with the worst errors and the report
    internal  the whole of it on a run's own test split;  external: on other data
"""

from training.evaluate.external import evaluate_other, learned_patients
from training.evaluate.internal import evaluate
from training.evaluate.publish import Judged

__all__ = ["Judged", "evaluate", "evaluate_other", "learned_patients"]
