"""Train on several devices, and on several machines.

On one machine Keras' own `fit` does it. Under MultiWorkerMirroredStrategy `fit` fails before the
first step (keras issue 20585; measured with Keras 3.15), so `fit_multi_worker` does the same steps
(docs/adr/0012-several-machines-train-in-a-loop-of-our-own.md).
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import keras

from pacs_ai.errors import ConfigError

Devices = Literal["one", "mirrored", "multi-worker"]


@contextlib.contextmanager
def devices(chosen: Devices) -> Iterator[None]:
    """Build and train on one device, on all devices of this machine, or on several machines.

    Several machines find each other by the environment variable TF_CONFIG. Each uses the same
    recipe and its own run folder, and all end with the same weights.

    Raises
    ------
    ConfigError
        If the backend is not TensorFlow: no other backend has these strategies.
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


def fit_function(chosen: Devices) -> Callable[..., Any]:
    """Return Keras' `fit`, or `fit_multi_worker`, which takes the same arguments."""
    keras_fit: Callable[..., Any] = keras.Model.fit
    return fit_multi_worker if chosen == "multi-worker" else keras_fit


def fit_multi_worker(
    model: keras.Model,
    data: Any,  # noqa: ANN401 - a tf.data.Dataset; TensorFlow has no types
    *,
    steps_per_epoch: int,
    initial_epoch: int,
    epochs: int,
    validation_data: Any,  # noqa: ANN401 - the same
    callbacks: Sequence[keras.callbacks.Callback],
    **_: object,
) -> None:
    """Train with all workers; each takes its share of every batch.

    Parameters
    ----------
    model
        Built and compiled in the scope of the strategy.
    data, validation_data
        The same on every worker; each batch is divided among them.
    """
    import tensorflow as tf  # noqa: PLC0415 - other backends do without

    strategy = tf.distribute.get_strategy()
    shown = iter(strategy.experimental_distribute_dataset(_shard_by_batch(data)))
    validation = _shard_by_batch(validation_data)
    callback_list = keras.callbacks.CallbackList(callbacks, model=model)
    model.optimizer.build(model.trainable_variables)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def train_step(batch: object) -> None:
        strategy.run(model.train_step, args=(batch,))

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def test_step(batch: object) -> None:
        strategy.run(model.test_step, args=(batch,))

    model.stop_training = False
    callback_list.on_train_begin()
    for epoch in range(initial_epoch, epochs):
        model.reset_metrics()
        callback_list.on_epoch_begin(epoch)
        for step in range(steps_per_epoch):
            train_step(next(shown))
            callback_list.on_train_batch_end(step, {"loss": float("nan")})
        _average_batch_norm(model)
        logs = _figures(model)
        model.reset_metrics()
        callback_list.on_test_begin()
        for batch in strategy.experimental_distribute_dataset(validation):
            test_step(batch)
        found = _figures(model)
        callback_list.on_test_end(found)
        callback_list.on_epoch_end(epoch, {**logs, **{f"val_{k}": v for k, v in found.items()}})
        if model.stop_training:
            break
    callback_list.on_train_end()


def _shard_by_batch(data: Any) -> Any:  # noqa: ANN401 - a tf.data.Dataset
    """Divide each batch among the workers, as there are no files to divide."""
    import tensorflow as tf  # noqa: PLC0415 - other backends do without

    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return data.with_options(options)


def _average_batch_norm(model: keras.Model) -> None:
    """Give all workers the mean of their batch normalisation statistics."""
    import tensorflow as tf  # noqa: PLC0415 - other backends do without

    strategy = tf.distribute.get_strategy()
    for variable in model.non_trainable_variables:
        if "float" in variable.dtype:
            seen = strategy.run(tf.convert_to_tensor, args=(variable.value,))
            variable.assign(strategy.reduce("MEAN", seen, axis=None))


def _figures(model: keras.Model) -> Mapping[str, float]:
    return {name: float(value) for name, value in model.get_metrics_result().items()}
