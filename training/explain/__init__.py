"""What a network looks at, and how much a heat map is worth.

::

    saliency  CAM, Grad-CAM, Grad-CAM++ in closed form;  gradient: what they are held against
    worth     pointing game, deletion and insertion
    inside    feature maps, and images that a class likes best
    of_run    the whole of it on a run's test split
"""

from training.explain.of_run import explain

__all__ = ["explain"]
