"""Features of a frozen base, computed once instead of in every epoch."""

import hashlib
import io
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from pacs_ai.errors import DataError
from pacs_ai.files import atomic_write
from training.data.read import Floats, multi_hot
from training.data.sampling import balance_weights, batches
from training.data.store import Store
from training.learn.training_task import TrainingTask, single_pass
from training.networks import DROPOUT, LOGITS, POOLED
from training.recipe.recipe import Recipe


def can_cache_features(recipe: Recipe) -> bool:
    """Tell whether each image has the same features in every epoch."""
    fixed = not recipe.augmentation.varies or recipe.augmentation.steps == "fine-tuning"
    config = recipe.optimisation
    return config.base == "frozen" and fixed and config.map_weight == 0


def feature_task(
    recipe: Recipe, network: keras.Model, training: Store, validation: Store, cache: Path
) -> TrainingTask:
    """Train only the head, on pooled features that are cached in a folder.

    The head shares its weights with the network.
    """
    features = pooled_features(recipe, network, training, cache)
    validation_features = pooled_features(recipe, network, validation, cache)
    pooled = keras.Input(features.shape[1:], name="pooled_features")
    x = pooled
    if recipe.network.dropout > 0:
        x = network.get_layer(DROPOUT)(x)
    head = keras.Model(pooled, network.get_layer(LOGITS)(x), name="head")
    y = multi_hot(validation.samples, len(recipe.classes))
    size = recipe.feeding.batch
    return TrainingTask(
        head,
        lambda skip: _feed(features, training, recipe, skip),
        tf.data.Dataset.from_tensor_slices((validation_features, y)).batch(size),
    )


def pooled_features(recipe: Recipe, network: keras.Model, store: Store, cache: Path) -> Floats:
    """Compute the pooled features of images, or read them from the cache.

    Returns
    -------
    Floats
        Shape (n, k), float32.
    """
    path = cache / f"features-{_fingerprint(recipe, network, store)}.npy"
    if path.is_file():
        try:
            return np.asarray(np.load(path, allow_pickle=False))
        except ValueError as error:
            raise DataError(f"{path} is damaged: remove it, and it is computed again") from error
    pooling = keras.Model(network.input, network.get_layer(POOLED).output)
    images = single_pass(store, recipe).map(lambda x, _: x)
    found: Floats = np.asarray(pooling.predict(images, verbose=0), dtype=np.float32)
    content = io.BytesIO()
    np.save(content, found, allow_pickle=False)
    atomic_write(path, content.getvalue())
    return found


def _feed(features: Floats, store: Store, recipe: Recipe, skip: int) -> tf.data.Dataset:
    """Give features in the order in which `training.data.feed` gives images."""
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
