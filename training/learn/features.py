"""Features of a base that does not learn, computed once instead of in every epoch."""

import hashlib
import io
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from pacs_ai.errors import DataError
from training.data.augment import moves, varies
from training.data.order import balance_weights, batches
from training.data.read import Floats, multi_hot
from training.data.store import Store
from training.learn.training_task import Lesson, once
from training.networks import DROPOUT, LOGITS, POOLED
from training.recipe.recipe import Recipe
from training.run.disk import write_whole


def features_suffice(recipe: Recipe) -> bool:
    """Say whether each image has the same features in every epoch, so that one look is enough."""
    still = not moves(recipe.augmentation) and not varies(recipe.augmentation)
    config = recipe.optimisation
    return config.base == "frozen" and still and config.map_weight == 0


def feature_lesson(
    recipe: Recipe, network: keras.Model, training: Store, held: Store, cache: Path
) -> Lesson:
    """Let only the head learn, from pooled features that are kept in a folder.

    The head is the network's own: what it learns, the network knows.
    """
    shown = pooled_features(recipe, network, training, cache)
    validated = pooled_features(recipe, network, held, cache)
    pooled = keras.Input(shown.shape[1:], name="pooled_features")
    x = pooled
    if recipe.network.dropout > 0:
        x = network.get_layer(DROPOUT)(x)
    head = keras.Model(pooled, network.get_layer(LOGITS)(x), name="head")
    y = multi_hot(held.samples, len(recipe.classes))
    size = recipe.feeding.batch
    return Lesson(
        head,
        lambda skip: _feed(shown, training, recipe, skip),
        tf.data.Dataset.from_tensor_slices((validated, y)).batch(size),
    )


def pooled_features(recipe: Recipe, network: keras.Model, store: Store, cache: Path) -> Floats:
    """Compute the pooled last features of images, or read them where they were computed before.

    Returns
    -------
    Floats
        Shape (n, k).
    """
    path = cache / f"features-{_fingerprint(recipe, network, store)}.npy"
    if path.is_file():
        try:
            return np.asarray(np.load(path, allow_pickle=False))
        except ValueError as error:
            raise DataError(f"{path} is damaged: remove it, it is computed again") from error
    pooling = keras.Model(network.input, network.get_layer(POOLED).output)
    images = once(store, recipe).map(lambda x, _: x)
    found: Floats = np.asarray(pooling.predict(images, verbose=0), dtype=np.float32)
    content = io.BytesIO()
    np.save(content, found, allow_pickle=False)
    write_whole(path, content.getvalue())
    return found


def _feed(features: Floats, store: Store, recipe: Recipe, skip: int) -> tf.data.Dataset:
    """Show features in the order in which the images would have been shown."""
    y = multi_hot(store.samples, len(recipe.classes))
    weights = balance_weights(store.samples, recipe.feeding)
    arrays = (features, y) if weights is None else (features, y, weights)
    size, seed = recipe.feeding.batch, recipe.optimisation.seed
    return tf.data.Dataset.from_generator(
        lambda: (
            tuple(array[chosen] for array in arrays)
            for _, chosen in batches(store.samples, recipe.feeding, seed, skip)
        ),
        output_signature=tuple(tf.TensorSpec((size, *a.shape[1:]), tf.float32) for a in arrays),
    ).prefetch(tf.data.AUTOTUNE)


def _fingerprint(recipe: Recipe, network: keras.Model, store: Store) -> str:
    digest = hashlib.sha256(recipe.input.model_dump_json().encode())
    for variable in network.get_weights()[:-2]:  # all but the head
        digest.update(np.ascontiguousarray(variable).data)
    for sample in store.samples:
        digest.update(repr((sample.path, sample.frame, sample.crop)).encode())
    return digest.hexdigest()[:16]
