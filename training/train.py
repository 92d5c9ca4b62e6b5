"""Find the weights: even draws, AdamW under a cosine, best epoch on validation."""

import json
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from .augment import build_augmentation
from .config import Optimisation, Recipe
from .dataset import Floats, ImageSet
from .model import build_network

Batch = tuple[Floats, Floats]


def make_deterministic(seed: int, threads: int) -> None:
    """Let the same recipe give the same weights on this machine, bit for bit.

    Must run before TensorFlow computes anything. Another processor or another version of
    TensorFlow sums in another order: there the figures agree, the bits do not.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)


class EvenBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches in which every modality and label comes equally often, rare ones by repetition.

    Parameters
    ----------
    images
        What to draw from.
    config
        Batch size, images an epoch, seed.
    classes
        Number of classes, for one-hot labels.
    """

    def __init__(self, images: ImageSet, config: Optimisation, classes: int) -> None:
        super().__init__(workers=1)
        self._images, self._config = images, config
        self._targets = np.eye(classes, dtype=np.float32)
        self._epoch = 0
        self._order = self._draw()

    def __len__(self) -> int:
        """Batches an epoch."""
        return self._config.images_per_epoch // self._config.batch

    def __getitem__(self, index: int) -> Batch:
        """One batch of images and one-hot labels."""
        size = self._config.batch
        chosen = self._order[index * size : (index + 1) * size]
        return self._images.x[chosen], self._targets[self._images.y[chosen]]

    def on_epoch_end(self) -> None:
        """Draw anew."""
        self._epoch += 1
        self._order = self._draw()

    def _draw(self) -> npt.NDArray[np.int64]:
        rng = np.random.default_rng([self._config.seed, self._epoch])
        groups = self._images.groups()
        share = -(-self._config.images_per_epoch // len(groups))
        drawn = [np.resize(rng.permutation(group), share) for group in groups]
        return rng.permutation(np.concatenate(drawn))[: self._config.images_per_epoch]


def train(recipe: Recipe, training: ImageSet, validation: ImageSet, folder: Path) -> keras.Model:
    """Train from random weights.

    Parameters
    ----------
    recipe
        What to do.
    training, validation
        Images of different patients.
    folder
        Where ``history.json`` goes.

    Returns
    -------
    keras.Model
        The network of the epoch with the lowest validation loss.
    """
    config, classes = recipe.optimisation, len(recipe.classes)
    network = build_network(recipe.input, recipe.network, classes)
    image = keras.Input(network.input_shape[1:])
    augmented = build_augmentation(recipe.augmentation, config.seed)(image)
    learner = keras.Model(image, network(augmented))
    batches = EvenBatches(training, config, classes)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.1 * config.learning_rate,
        config.epochs * len(batches),
        warmup_target=config.learning_rate,
        warmup_steps=len(batches) // 2,
    )
    learner.compile(
        keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay),
        keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=config.label_smoothing
        ),
        metrics=["accuracy"],
        jit_compile=False,
    )
    best = keras.callbacks.EarlyStopping(
        "val_loss", patience=config.epochs, restore_best_weights=True
    )
    history = learner.fit(
        batches,
        epochs=config.epochs,
        validation_data=(validation.x, np.eye(classes, dtype=np.float32)[validation.y]),
        validation_batch_size=config.batch,
        callbacks=[best],
        verbose=2,
    )
    (folder / "history.json").write_text(json.dumps(history.history, indent=1), encoding="utf-8")
    return network
