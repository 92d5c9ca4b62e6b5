"""Explain a network: heat maps, feature maps, and how faithful the heat maps are.

::

    saliency               CAM, Grad-CAM and Grad-CAM++ in closed form
    gradient               Grad-CAM by automatic differentiation, which tests compare with it
    randomisation, sanity  how the heat maps change when the weights become random
    faithfulness           pointing game, deletion and insertion
    feature_visualisation  feature maps, and activation maximisation
    explain_run            all of it for the test split of a run
"""

from training.explain.explain_run import explain

__all__ = ["explain"]
