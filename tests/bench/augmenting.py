"""The augmentation beside Albumentations: the same images, the same changes and ranges.

Usage: ``python -m tests.bench.augmenting THREADS ROUNDS``; `tests.bench.feeding` calls it. It
prints JSON: for each kind of changes and each program images a second, and milliseconds of
processor time for an image, medians of the rounds. The threads of TensorFlow are fixed when it
starts, so each number of threads is a process of its own.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # else it asks the network for a newer version

import albumentations
import cv2
import numpy as np
import tensorflow as tf

from training.data.augment import augment
from training.recipe.data import Augmentation

SIDE, IMAGES, BATCH = 224, 256, 32
MOVED = {"flip_horizontal": True, "rotation_degrees": 20, "shift": 0.2, "zoom": 0.1}
CHANGED = {"contrast": 0.2, "brightness": 0.1, "gamma": 0.3, "noise": 0.05}
KINDS = {
    "flip, rotation, shift, zoom": MOVED,
    "contrast, brightness, gamma, noise": CHANGED,
    "all of these": MOVED | CHANGED,
}
OURS, THEIRS = "pacs-ai", "Albumentations"


def made() -> np.ndarray:
    """Smooth grey images, shape (n, height, width, 1), float32 in [0, 1]."""
    rng = np.random.default_rng(1)
    noise = rng.uniform(0, 1, (IMAGES, 28, 28)).astype(np.float32)
    return np.stack([cv2.resize(each, (SIDE, SIDE)) for each in noise])[..., None]


def ours(images: np.ndarray, config: Augmentation, threads: int) -> Callable[[], Iterable[object]]:
    """Augment as the input pipeline does, in batches; the graph is built once for all epochs."""
    batches = tf.data.Dataset.from_tensor_slices(images).batch(BATCH).enumerate()
    changed = batches.map(
        lambda number, grey: augment(grey, None, config, 1, number)[0], num_parallel_calls=threads
    )
    options = tf.data.Options()
    options.threading.private_threadpool_size = threads
    chosen = changed.with_options(options)
    return lambda: chosen


def theirs(
    images: np.ndarray, names: Iterable[str], threads: int
) -> Callable[[], Iterable[object]]:
    """Augment image by image, as data loaders do."""
    change = albumentations.Compose(list(_changes(set(names))), seed=1)

    def one(image: np.ndarray) -> np.ndarray:
        return np.asarray(change(image=image)["image"])

    if threads == 1:
        return lambda: map(one, images)
    pool = ThreadPoolExecutor(threads)
    return lambda: pool.map(one, images)


def _changes(names: set[str]) -> Iterable[albumentations.BasicTransform]:
    if "shift" in names:
        yield albumentations.HorizontalFlip(p=0.5)
        yield albumentations.Affine(
            scale=(1 / 1.1, 1 / 0.9),
            translate_percent=(-0.2, 0.2),
            rotate=(-20, 20),
            interpolation=cv2.INTER_LINEAR,
            border_mode=cv2.BORDER_REPLICATE,
            p=1,
        )
    if "contrast" in names:
        yield albumentations.RandomBrightnessContrast(
            brightness_limit=0.1, contrast_limit=0.2, brightness_by_max=True, p=1
        )
        yield albumentations.RandomGamma(gamma_limit=(100 / 1.3, 130), p=1)
        yield albumentations.GaussNoise(std_range=(0, 0.05), noise_scale_factor=1, p=1)


def timed(work: Callable[[], Iterable[object]]) -> tuple[float, float]:
    """Images a second, and milliseconds of processor time for an image."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in work():
        pass
    spent = time.process_time() - cpu
    return IMAGES / (time.perf_counter() - wall), 1000 * spent / IMAGES


def main() -> None:
    threads, rounds = int(sys.argv[1]), int(sys.argv[2])
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    cv2.setNumThreads(1)  # an image is too small to divide; the pool has the threads
    images = made()
    found = {kind: compare(images, changes, threads, rounds) for kind, changes in KINDS.items()}
    print(json.dumps(found))  # noqa: T201 - a command


def compare(
    images: np.ndarray, changes: Mapping[str, object], threads: int, rounds: int
) -> dict[str, list[float]]:
    """Measure both by turns."""
    config = Augmentation.model_validate(changes)
    ways = {OURS: ours(images, config, threads), THEIRS: theirs(images, changes, threads)}
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(rounds + 1):  # the first round warms up
        for name, work in ways.items():
            seen[name] += [timed(work)] * bool(number)
    return {
        name: [statistics.median(column) for column in zip(*values, strict=True)]
        for name, values in seen.items()
    }


if __name__ == "__main__":
    main()
