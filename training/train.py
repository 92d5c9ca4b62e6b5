"""Find the weights: even draws, AdamW under a cosine, best epoch on validation."""

import json
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import ops

from .augment import build_augmentation
from .config import Recipe
from .config_data import Feeding
from .config_learn import Optimisation, SmallResNet
from .dataset import Floats, ImageSet
from .model import FEATURES, build_network

_TINY = 1e-6

Batch = tuple[Floats, dict[str, Floats]]


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
        Batch size, images an epoch.
    seed
        Source of chance.
    classes
        Number of classes, for one-hot labels.
    """

    def __init__(self, images: ImageSet, config: Feeding, seed: int, classes: int) -> None:
        super().__init__(workers=1)
        self._images, self._config, self._seed = images, config, seed
        self._targets = np.eye(classes, dtype=np.float32)
        self._epoch = 0
        self._order = self._draw()

    def __len__(self) -> int:
        """Batches an epoch."""
        return self._config.images_per_epoch // self._config.batch

    def __getitem__(self, index: int) -> Batch:
        """One batch, see `as_batch`."""
        size = self._config.batch
        return as_batch(self._images, self._order[index * size : (index + 1) * size], self._targets)

    def on_epoch_end(self) -> None:
        """Draw anew."""
        self._epoch += 1
        self._order = self._draw()

    def _draw(self) -> npt.NDArray[np.int64]:
        rng = np.random.default_rng([self._seed, self._epoch])
        groups = self._images.groups()
        share = -(-self._config.images_per_epoch // len(groups))
        drawn = [np.resize(rng.permutation(group), share) for group in groups]
        return rng.permutation(np.concatenate(drawn))[: self._config.images_per_epoch]


def as_batch(images: ImageSet, chosen: npt.NDArray[np.int64], targets: Floats) -> Batch:
    """Put together what the learner takes.

    Parameters
    ----------
    chosen
        Which images, shape (n,).
    targets
        One-hot rows, shape (classes, classes).

    Returns
    -------
    tuple
        Pictures with the lesion's box as second channel, shape (n, height, width, 2); one-hot
        labels, shape (n, classes), and which images have a box, shape (n, 1).
    """
    inside = images.inside[chosen].astype(np.float32)
    boxed = (inside.max(axis=(1, 2)) > 0).astype(np.float32)
    x = np.concatenate([images.x[chosen], inside], axis=-1)
    return x, {"class": targets[images.y[chosen]], "map": boxed}


def build_learner(recipe: Recipe, network: keras.Model) -> keras.Model:
    """Wrap the network in what only training needs: augmentation, and a view of its heat map.

    The heat map of the positive class is the closed-form one that is served: the last features
    under that class's weights. Taken as a distribution over the grid, its mass inside the box is
    the second output, so that a network can be taught to be right for the right reason (Ross et
    al., 2017, with a softmax over places in place of input gradients).
    """
    spec, channels = recipe.input, 2
    pair = keras.Input((spec.height, spec.width, channels), name="pair")
    varied = build_augmentation(recipe.augmentation, recipe.optimisation.seed)(pair)
    taps = keras.Model(network.input, [network.output, network.get_layer(FEATURES).output])
    logits, features = taps(varied[..., :1])
    positive = next(index for index, entry in enumerate(recipe.classes) if entry.positive)
    heat = network.get_layer("logits")(features)[..., positive]  # (n, h, w); the bias cancels
    cells = (heat.shape[1], heat.shape[2])
    mass = ops.reshape(ops.softmax(ops.reshape(heat, (-1, cells[0] * cells[1]))), (-1, *cells))
    box = keras.layers.AveragePooling2D((spec.height // cells[0], spec.width // cells[1]))(
        ops.relu(varied[..., 1:])
    )[..., 0]  # how much of each cell is covered
    covered = box / (ops.max(box, axis=(1, 2), keepdims=True) + _TINY)
    found = ops.sum(mass * covered, axis=(1, 2))[:, None]
    names = [keras.layers.Identity(name=name) for name in ("class", "map")]
    return keras.Model(pair, {"class": names[0](logits), "map": names[1](found)})


def missed(boxed: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
    """Cost of heat outside the box, shape (n,): none for an image without one."""
    return ops.sum(-boxed * ops.log(found + _TINY), axis=-1)


def _schedule(config: Optimisation, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    return keras.optimizers.schedules.CosineDecay(
        0.1 * config.learning_rate,
        config.epochs * steps,
        warmup_target=config.learning_rate,
        warmup_steps=steps // 2,
    )


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
    assert isinstance(recipe.network, SmallResNet)  # noqa: S101 - until there are others
    network = build_network(recipe.input, recipe.network, classes)
    batches = EvenBatches(training, recipe.feeding, config.seed, classes)
    learner = build_learner(recipe, network)
    learner.compile(
        keras.optimizers.AdamW(_schedule(config, len(batches)), weight_decay=config.weight_decay),
        {
            "class": keras.losses.CategoricalCrossentropy(
                from_logits=True, label_smoothing=config.label_smoothing
            ),
            "map": missed,
        },
        loss_weights={"class": 1.0, "map": config.map_weight},
        metrics={"class": ["accuracy"]},
        jit_compile=False,
    )
    best = keras.callbacks.EarlyStopping(
        "val_loss", patience=config.epochs, restore_best_weights=True
    )
    history = learner.fit(
        batches,
        epochs=config.epochs,
        validation_data=as_batch(
            validation, np.arange(validation.y.size), np.eye(classes, dtype=np.float32)
        ),
        validation_batch_size=recipe.feeding.batch,
        callbacks=[best],
        verbose=2,
    )
    (folder / "history.json").write_text(json.dumps(history.history, indent=1), encoding="utf-8")
    return network
