"""The optimiser, and learning rates by group: the head and each block of the base have their own.

Early blocks hold what all images have in common, and change little; a new head has everything to
learn (Howard and Ruder, 2018; layer-wise decay as in Clark et al., ELECTRA, 2020).
"""

from collections.abc import Mapping

import keras

from training.learn.schedules import Schedule, learning_rate_of
from training.networks.groups import groups, rate_factors
from training.recipe.learning import Optimisation
from training.run.run import Run


class GroupedAdam(keras.optimizers.Adam):  # type: ignore[misc]
    """Adam, or AdamW with ``decay``, with a factor of the learning rate for each group.

    It has the variables of Adam and no others, so a checkpoint restores it as it is. A group's
    weight decay has the same factor, as AdamW decays in proportion to the learning rate.

    Parameters
    ----------
    rate
        The learning rate of a group with the factor 1.
    decay
        The weight decay; 0 for Adam.
    network
        The network whose layers learn or are frozen already.
    config
        Has ``head_rate`` and ``depth_decay``.
    average
        Arguments for the moving average of the weights.
    """

    def __init__(
        self,
        rate: float | Schedule,
        decay: float,
        network: keras.Model,
        config: Optimisation,
        **average: float | bool,
    ) -> None:
        super().__init__(rate, **average)
        self.factors = rate_factors(network, config.head_rate, config.depth_decay)
        self._decay = decay
        self._factor_of = {
            path: self.factors[name] for name, paths in groups(network).items() for path in paths
        }
        self._by_index: list[float] = []

    def build(self, variables: list[keras.Variable]) -> None:
        """Create the moments, and find the factor of each variable."""
        super().build(variables)
        self._by_index = [self._factor_of[variable.path] for variable in variables]

    def update_step(
        self, gradient: keras.KerasTensor, variable: keras.Variable, learning_rate: object
    ) -> None:
        """Update one variable at the rate of its group."""
        rate = learning_rate * self._by_index[self._get_variable_index(variable)]
        if self._decay > 0:
            self.assign_sub(variable, variable * keras.ops.cast(rate * self._decay, variable.dtype))
        super().update_step(gradient, variable, rate)


def build_optimizer(
    config: Optimisation, network: keras.Model, steps_per_epoch: int, epochs: int
) -> keras.optimizers.Optimizer:
    """Build Adam (Kingma and Ba, 2015), or AdamW for weight decay, with the schedule.

    With ``schedule = "plateau"`` the rate is a variable, which `checkpointing` reduces.

    Parameters
    ----------
    config
        The settings.
    network
        Its layers are frozen already, as far as they will be.
    steps_per_epoch, epochs
        The length of the training.
    """
    rate: float | Schedule = config.learning_rate
    if config.schedule != "plateau":
        warmup = round(config.warmup_epochs * steps_per_epoch)
        rate = Schedule(config.learning_rate, warmup, steps_per_epoch * epochs, config.schedule)
    return adam(config, network, rate, config.weight_decay)


def adam(
    config: Optimisation, network: keras.Model, rate: float | Schedule, decay: float
) -> keras.optimizers.Optimizer:
    """Build Adam, or AdamW with ``decay`` above 0, with the rates of the groups."""
    average = {"use_ema": config.average > 0, "ema_momentum": config.average or 0.99}
    if (config.head_rate, config.depth_decay) != (1.0, 1.0):
        return GroupedAdam(rate, decay, network, config, **average)
    if decay > 0:
        return keras.optimizers.AdamW(rate, weight_decay=decay, **average)
    return keras.optimizers.Adam(rate, **average)


def learning_rates(optimizer: keras.optimizers.Optimizer) -> dict[str, float]:
    """Return the learning rate of the next step, and that of each group if they differ.

    Returns
    -------
    dict
        ``learning_rate``, and for example ``learning_rate_head``; 0 for a group that is frozen.
    """
    rate = learning_rate_of(optimizer)
    return {"learning_rate": rate} | {
        f"learning_rate_{name}": rate * factor for name, factor in _factors(optimizer).items()
    }


def log_rates(
    run: Run, phase: str, peak: float, optimizer: keras.optimizers.Optimizer
) -> dict[str, dict[str, float]]:
    """Log the highest learning rate of each group, the head first; nothing without groups.

    Parameters
    ----------
    run
        Gets the log line.
    phase, peak
        The name and the learning rate of the phase.
    optimizer
        The optimiser.

    Returns
    -------
    dict
        For the record of the run: ``learning_rates`` with the rate of each group; {} without.
    """
    rates = {name: peak * factor for name, factor in reversed(list(_factors(optimizer).items()))}
    if not rates:
        return {}
    said = ", ".join(f"{name} {rate:.2g}" for name, rate in rates.items())
    run.log(f"{phase}: learning rates: {said}")
    return {"learning_rates": rates}


def _factors(optimizer: keras.optimizers.Optimizer) -> Mapping[str, float]:
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # with float16 the loss is scaled
    return inner.factors if isinstance(inner, GroupedAdam) else {}
