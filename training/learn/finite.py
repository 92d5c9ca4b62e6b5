"""Stop a training whose loss is not a finite number, and say what the cause may be."""

import math
from collections.abc import Mapping

from pacs_ai.errors import LossNotFinite
from training.recipe.learning import Optimisation


def refuse_not_finite(logs: Mapping[str, float], config: Optimisation, where: str) -> None:
    """Refuse losses that are not finite.

    All images are finite, as `training.data.read` refuses others; so it is the steps that went too
    far, or numbers of 16 bits that are too small for them.

    Parameters
    ----------
    logs
        Losses and metrics by name.
    config
        The settings of the training, which the message names.
    where
        The step and its epoch.

    Raises
    ------
    LossNotFinite
        If a loss is infinite or not a number.
    """
    wrong = [key for key, value in logs.items() if key.endswith("loss") and not _finite(value)]
    if not wrong:
        return
    rate = f"optimisation.learning_rate = {config.learning_rate:g}"
    half = (
        f', or optimisation.precision = "float32" instead of "{config.precision}"'
        if config.precision != "float32"
        else ""
    )
    raise LossNotFinite(
        f"{where}: the {wrong[0]} is {float(logs[wrong[0]])}, not a finite number. All images are "
        f"finite, so the steps are too large: try a learning rate below {rate}{half}; "
        "pacs-ai train --find-lr suggests one"
    )


def _finite(value: float) -> bool:
    return math.isfinite(float(value))
