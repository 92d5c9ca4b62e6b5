"""How many workers do most: several with a thread each, or one with all threads.

Measured with the models of the node, in processes of their own, while the node works already.
"""

import os
import time
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from pacs_ai.config import Config
from pacs_ai.flow.classifiers import load_classifier
from pacs_ai.logs import get_logger
from pacs_ai.model.predict import Classifier

SECONDS = 1.0
"""How long each of the three measurements lasts, after one image to warm up."""

LEAST_GAIN = 1.2
"""Below it several workers are not worth their memory: the measurement is no better than that."""

_SIDE = 512
_log = get_logger()

Models = Callable[[], Iterable[Classifier]]


def choose_workers(config: Config, models: Mapping[str, Classifier]) -> int:
    """Measure, and return the number of workers: one, or as many as there are cores.

    Parameters
    ----------
    models
        Loaded with one thread. The process must have one thread itself, as it forks.

    Notes
    -----
    Several workers do more in an hour, and a study that comes alone waits longer for the only
    thread of its worker. So they are chosen if the gain is larger than that loss.
    """
    cores = os.cpu_count() or 1
    alone = _images_a_second(models.values, 1)
    together = _images_a_second(models.values, cores)
    whole = _images_a_second(lambda: _with_threads(config, models, cores), 1)
    number = cores if several_pay(alone, together, whole) else 1
    _log.info(
        "workers chosen",
        workers=number,
        one_thread=round(alone, 1),
        several_workers=round(together, 1),
        all_threads=round(whole, 1),
    )
    return number


def several_pay(alone: float, together: float, whole: float) -> bool:
    """Compare what several workers gain with what they cost.

    Parameters
    ----------
    alone, together, whole
        Images a second: of one worker with one thread, of as many as there are cores, and of one
        with all threads.
    """
    return together / whole >= max(LEAST_GAIN, whole / alone)


def _with_threads(
    config: Config, models: Mapping[str, Classifier], threads: int
) -> list[Classifier]:
    return [load_classifier(config, one.bundle, threads) for one in models.values()]


def _images_a_second(models: Models, processes: int) -> float:
    """Let so many processes predict at the same time; add what they did."""
    answer, tell = os.pipe()
    children = []
    for _ in range(processes):
        if (child := os.fork()) == 0:
            try:
                os.write(tell, f"{_rate(models)}\n".encode())
            finally:
                os._exit(0)
        children.append(child)
    os.close(tell)
    with open(answer, encoding="ascii") as rates:  # noqa: PTH123 - a descriptor
        total = sum(float(line) for line in rates)
    for child in children:
        os.waitpid(child, 0)
    return max(total, np.finfo(np.float64).tiny)


def _rate(models: Models) -> float:
    """Predict noise with one model after the other; return images a second."""
    pixels = np.random.default_rng(1).random((_SIDE, _SIDE), dtype=np.float32)
    loaded = list(models())
    for one in loaded:
        one.predict_image(pixels)
    images, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        for one in loaded:
            one.predict_image(pixels)
        images += 1
    return images / (time.perf_counter() - start)
