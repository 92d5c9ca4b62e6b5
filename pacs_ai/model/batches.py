"""Images of several studies as one batch, which a GPU computes in little more time than one image.

Each study is analysed in a thread of its own. Their images meet here, and nowhere else: no study
knows of the others.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace

import numpy as np

from pacs_ai.model.network import Floats, LoadedNetwork

_Computed = tuple[Floats, Floats]


class _Waiting:
    """One image that waits to be computed."""

    def __init__(self, x: Floats) -> None:
        self.x = x
        self.came = time.monotonic()
        self.computed: Future[_Computed] = Future()


class BatchedNetwork:
    """A network that computes the images of all threads together, always as many at a time.

    A batch that is not full is filled up with zeros. So the network sees one shape alone: the
    library chooses its algorithms once, and needs the same memory each time.

    Parameters
    ----------
    network
        What computes a batch.
    images
        Images of a batch.
    wait_seconds
        For how long the first image of a batch waits for others.
    """

    def __init__(self, network: LoadedNetwork, images: int, wait_seconds: float) -> None:
        self.network = network
        self.images = images
        self.wait_seconds = wait_seconds
        self.inputs, self.outputs = network.inputs, network.outputs
        self.computed_by = replace(network.computed_by, batch=images)
        self._queue: deque[_Waiting] = deque()
        self._came = threading.Condition()
        self._device = threading.Lock()

    def compute(self, x: Floats) -> _Computed:
        """Compute logits and last features, with the images of other threads.

        One of the threads that wait computes for all: there is no thread that only does this.
        """
        mine = [_Waiting(x[number : number + 1]) for number in range(len(x))]
        with self._came:
            self._queue.extend(mine)
            self._came.notify_all()
        while not _all_computed(mine):
            with self._device:
                if not _all_computed(mine):
                    self._compute(self._next())
        parts = [one.computed.result() for one in mine]
        return np.concatenate([one[0] for one in parts]), np.concatenate([one[1] for one in parts])

    def _next(self) -> list[_Waiting]:
        """Take the next images from the queue, which is not empty."""
        with self._came:
            end = self._queue[0].came + self.wait_seconds
            while len(self._queue) < self.images and (left := end - time.monotonic()) > 0:
                self._came.wait(left)
            number = min(len(self._queue), self.images)
            return [self._queue.popleft() for _ in range(number)]

    def _compute(self, batch: Sequence[_Waiting]) -> None:
        """Compute images; an error is that of each of them."""
        filled = np.zeros((self.images, *batch[0].x.shape[1:]), dtype=np.float32)
        for number, one in enumerate(batch):
            filled[number] = one.x[0]
        try:
            logits, features = self.network.compute(filled)
        except BaseException as error:
            for one in batch:
                one.computed.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for number, one in enumerate(batch):
            place = slice(number, number + 1)
            one.computed.set_result((logits[place], features[place]))


def _all_computed(images: Sequence[_Waiting]) -> bool:
    return all(one.computed.done() for one in images)
