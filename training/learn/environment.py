"""Seeds, threads and precision of a training."""

import contextlib
from collections.abc import Iterator

import keras

from training.recipe.recipe import Recipe


@contextlib.contextmanager
def environment(recipe: Recipe) -> Iterator[None]:
    """Make training deterministic: the same recipe gives the same weights on this machine.

    Enter it before TensorFlow computes anything, because TensorFlow fixes its threads then.
    Another processor or another version of TensorFlow adds numbers in another order: the figures
    agree there, but not bit for bit.
    """
    config = recipe.optimisation
    if keras.backend.backend() == "tensorflow":
        _configure_tensorflow(config.threads)
    keras.utils.set_random_seed(config.seed)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(config.precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _configure_tensorflow(threads: int) -> None:
    import tensorflow as tf  # noqa: PLC0415 - the backend may be another one

    with contextlib.suppress(RuntimeError):  # TensorFlow has started: its threads are fixed
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.config.experimental.enable_op_determinism()
