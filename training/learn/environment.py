"""What computes, and how exactly: seeds, threads, precision, devices."""

import contextlib
from collections.abc import Iterator

import keras

from training.recipe.recipe import Recipe


@contextlib.contextmanager
def environment(recipe: Recipe) -> Iterator[None]:
    """Let the same recipe give the same weights on this machine, bit for bit, in its precision.

    Should begin before TensorFlow computes anything, for threads are counted once. Another
    processor or another version of TensorFlow sums in another order: there the figures agree, the
    bits do not.
    """
    config = recipe.optimisation
    if keras.backend.backend() == "tensorflow":
        _settle_tensorflow(config.threads)
    keras.utils.set_random_seed(config.seed)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(config.precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _settle_tensorflow(threads: int) -> None:
    import tensorflow as tf  # noqa: PLC0415 - the backend may be another one

    with contextlib.suppress(RuntimeError):  # it computes already, with the threads it has
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.config.experimental.enable_op_determinism()
