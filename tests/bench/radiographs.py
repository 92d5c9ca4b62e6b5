"""Radiographs to send, as pynetdicom and as our own client send them."""

import copy
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE, evt

from pacs_ai.net.scu import client
from pacs_ai.net.scu.client import PeerAddress
from pacs_ai.phantom import write_phantom_study
from tests.bench.beside import beside
from tests.bench.latency_archive import at_once
from tests.bench.latency_node import Running

SEED = 77


def radiograph(folder: Path, side: int) -> pydicom.Dataset:
    """Draw one; with a ``side`` it is enlarged to so many rows and columns."""
    path = write_phantom_study(folder, "DX", SEED, lesion=True).files[0]
    dataset = pydicom.dcmread(path)
    if side:
        pixels = dataset.pixel_array
        rows, columns = (np.arange(side) * length // side for length in pixels.shape)
        dataset.Rows = dataset.Columns = side
        dataset.PixelData = pixels[np.ix_(rows, columns)].tobytes()
    return dataset


def renew(dataset: pydicom.Dataset) -> str:
    """Make it an instance of a new study; return the Study Instance UID."""
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    return str(dataset.StudyInstanceUID)


class Sender:
    """Sends studies of one radiograph, each on an association of its own, with pynetdicom."""

    def __init__(self, dataset: pydicom.Dataset, title: str = "BENCH") -> None:
        self._dataset = dataset
        self._entity = AE(title)
        self._entity.add_requested_context(dataset.SOPClassUID, ExplicitVRLittleEndian)

    def send(self, one: Running) -> tuple[str, float]:
        """Return the study, and the moment of its release: the response to C-STORE is there."""
        uid = renew(self._dataset)
        handlers: list[Any] = [(evt.EVT_CONN_OPEN, at_once)]
        association = self._entity.associate(
            "127.0.0.1", one.port, ae_title="AI_NODE", evt_handlers=handlers
        )
        status = association.send_c_store(self._dataset)
        if status.Status != 0:
            raise ConnectionError(f"{one.name}: C-STORE answered {status}")
        moment = time.monotonic()
        association.release()
        return uid, moment


@contextmanager
def load(dataset: pydicom.Dataset, one: Running, per_second: float) -> Iterator[None]:
    """Send other studies at a steady rate meanwhile."""
    other = copy.deepcopy(dataset)

    def send(stop: threading.Event) -> None:
        sender = Sender(other)
        due = time.monotonic()
        while not stop.is_set():
            sender.send(one)
            due += 1 / per_second
            stop.wait(max(0.0, due - time.monotonic()))

    with beside(send):
        yield


def burst(paths: list[Path], one: Running, at_once: int = 4) -> float:
    """Send each file on an association of its own, some at once; return the moment of the first."""
    waiting = list(paths)
    address = PeerAddress("AI_NODE", "127.0.0.1", one.port)

    def work() -> None:
        while waiting:
            try:
                path = waiting.pop()
            except IndexError:
                return
            client.store(address, "BENCH", [path])

    began = time.monotonic()
    threads = [threading.Thread(target=work) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return began
