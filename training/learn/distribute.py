"""Train on several devices at once, and on several machines.

On one machine Keras' own `fit` does it. Under MultiWorkerMirroredStrategy it does not (keras
issue 20585; measured with Keras 3.15: it fails before the first step), so there the same steps
are done here (docs/adr/0012-several-machines-train-in-a-loop-of-our-own.md).
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import keras

from pacs_ai.errors import ConfigError

Devices = Literal["one", "mirrored", "multi-worker"]


@contextlib.contextmanager
def devices(chosen: Devices) -> Iterator[None]:
    """Build and train on one device, or the same network on all of one machine or of several.

    Several machines find one another by the environment variable TF_CONFIG; each follows the same
    recipe with a run folder of its own, and all come to the same weights.

    Raises
    ------
    ConfigError
        If the backend is not TensorFlow, which alone has strategies.
    """
    if chosen == "one":
        yield
        return
    if keras.backend.backend() != "tensorflow":
        raise ConfigError(f'optimisation.devices = "{chosen}" needs the backend TensorFlow')
    import tensorflow as tf  # noqa: PLC0415 - other backends do without

    several = chosen == "multi-worker"
    kind = tf.distribute.MultiWorkerMirroredStrategy if several else tf.distribute.MirroredStrategy
    with kind().scope():
        yield


def chosen_fit(chosen: Devices) -> Callable[..., Any]:
    """Return what does the steps: Keras' `fit`, or `fit_together`, which is called alike."""
    plain: Callable[..., Any] = keras.Model.fit
    return fit_together if chosen == "multi-worker" else plain


def fit_together(
    learner: keras.Model,
    data: Any,  # noqa: ANN401 - a tf.data.Dataset; TensorFlow has no types
    *,
    steps_per_epoch: int,
    initial_epoch: int,
    epochs: int,
    validation_data: Any,  # noqa: ANN401 - the same
    callbacks: Sequence[keras.callbacks.Callback],
    **_: object,
) -> None:
    """Train with all workers, each showing its share of every batch.

    Parameters
    ----------
    learner
        Built and compiled in the scope of the strategy.
    data, validation_data
        The same on every worker; each batch is divided among them.
    """
    import tensorflow as tf  # noqa: PLC0415 - other backends do without

    strategy = tf.distribute.get_strategy()
    shown = iter(strategy.experimental_distribute_dataset(_by_batch(data)))
    held = _by_batch(validation_data)
    told = keras.callbacks.CallbackList(callbacks, model=learner)
    learner.optimizer.build(learner.trainable_variables)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def train_step(batch: object) -> None:
        strategy.run(learner.train_step, args=(batch,))

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def test_step(batch: object) -> None:
        strategy.run(learner.test_step, args=(batch,))

    learner.stop_training = False
    told.on_train_begin()
    for epoch in range(initial_epoch, epochs):
        learner.reset_metrics()
        told.on_epoch_begin(epoch)
        for step in range(steps_per_epoch):
            train_step(next(shown))
            told.on_train_batch_end(step, {"loss": float("nan")})
        _agree(learner)
        logs = _figures(learner)
        learner.reset_metrics()
        told.on_test_begin()
        for batch in strategy.experimental_distribute_dataset(held):
            test_step(batch)
        found = _figures(learner)
        told.on_test_end(found)
        told.on_epoch_end(epoch, {**logs, **{f"val_{k}": v for k, v in found.items()}})
        if learner.stop_training:
            break
    told.on_train_end()


def _by_batch(data: Any) -> Any:  # noqa: ANN401 - a tf.data.Dataset
    """Let every batch be divided among the workers; there are no files to divide."""
    import tensorflow as tf  # noqa: PLC0415 - other backends do without

    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return data.with_options(options)


def _agree(learner: keras.Model) -> None:
    """Give all workers the mean of what batch normalisation saw on each: one network, not many."""
    import tensorflow as tf  # noqa: PLC0415 - other backends do without

    strategy = tf.distribute.get_strategy()
    for variable in learner.non_trainable_variables:
        if "float" in variable.dtype:
            seen = strategy.run(tf.convert_to_tensor, args=(variable.value,))
            variable.assign(strategy.reduce("MEAN", seen, axis=None))


def _figures(learner: keras.Model) -> Mapping[str, float]:
    return {name: float(value) for name, value in learner.get_metrics_result().items()}
