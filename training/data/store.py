"""Preprocessed images in memory or in a memory-mapped file: read once for all epochs."""

import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numpy.lib.format import open_memmap

from pacs_ai.model.spec import InputSpec
from training.data.pool import parallel_map
from training.data.read import Floats, fit_sample
from training.data.samples import Sample
from training.recipe.data import Feeding
from training.run.disk import clear_disk_errors

_SHARE_OF_MEMORY = 0.4
"""Share of the free memory that a store may use; a larger one goes to disk."""


@dataclass(frozen=True, slots=True)
class Store:
    """Samples and their images, at the input size but before scaling.

    ``grey`` (n, height, width) float32 is in [0, 1]. ``boxes`` (n, 4) int32 has x0, y0, x1, y1 in
    pixels of the input, zeros if there is no box.
    """

    samples: tuple[Sample, ...]
    grey: Floats
    boxes: npt.NDArray[np.int32]

    def inside(self, chosen: npt.NDArray[np.int64]) -> Floats:
        """Return masks of the boxes of some images, (n, height, width, 1): 1 inside, 0 outside."""
        masks = np.zeros((len(chosen), *self.grey.shape[1:], 1), dtype=np.float32)
        for mask, (x0, y0, x1, y1) in zip(masks, self.boxes[chosen], strict=True):
            mask[y0:y1, x0:x1] = 1.0
        return masks


def load_store(
    samples: Sequence[Sample], spec: InputSpec, feeding: Feeding, folder: Path | None = None
) -> Store:
    """Read samples once for all epochs.

    Parameters
    ----------
    samples
        The samples to read.
    spec
        The input of the network.
    feeding
        Has the kind of cache, and the number of reading processes.
    folder
        The folder of the image file, if one is needed; an existing file of the same samples is
        used again. None: a temporary file without a name.

    Raises
    ------
    DataError
        If an image cannot be read; names it.
    NoSpace
        If the disk is full.
    """
    shape = (len(samples), spec.height, spec.width)
    memory = feeding.cache == "memory" or (feeding.cache == "auto" and _fits(shape))
    if memory or not samples:
        grey = np.empty(shape, dtype=np.float32)
        return Store(tuple(samples), grey, _read(samples, spec, feeding.workers, grey))
    place, size = folder or tempfile.gettempdir(), np.prod(shape) * 4 / 2**30
    with clear_disk_errors(
        Path(place), f"{size:.1f} GiB of preprocessed images; free some, or another --out"
    ):
        return _on_disk(samples, spec, feeding, folder)


def _fits(shape: tuple[int, ...]) -> bool:
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return int(np.prod(shape)) * 4 <= free * _SHARE_OF_MEMORY


def _read(
    samples: Sequence[Sample], spec: InputSpec, workers: int, grey: Floats
) -> npt.NDArray[np.int32]:
    boxes = np.zeros((len(samples), 4), dtype=np.int32)
    for index, (image, box) in enumerate(
        parallel_map(partial(fit_sample, spec=spec), samples, workers)
    ):
        grey[index], boxes[index] = image, box
    return boxes


def _on_disk(
    samples: Sequence[Sample], spec: InputSpec, feeding: Feeding, folder: Path | None
) -> Store:
    shape = (len(samples), spec.height, spec.width)
    if folder is None:
        # numpy maps the descriptor; the unnamed file is deleted with the last reference
        with tempfile.TemporaryFile() as file:
            os.posix_fallocate(file.fileno(), 0, int(np.prod(shape)) * 4)
            grey = np.memmap(file, np.float32, "r+", shape=shape)
        return Store(tuple(samples), grey, _read(samples, spec, feeding.workers, grey))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"images-{_fingerprint(samples, spec)}.npy"
    boxes_path = path.with_suffix(".boxes.npy")
    if not path.exists():
        draft = path.with_suffix(".draft")
        grey = open_memmap(draft, "w+", np.float32, shape)
        try:
            with draft.open("r+b") as file:
                # writing to a sparse file on a full disk would end in SIGBUS
                os.posix_fallocate(file.fileno(), 0, draft.stat().st_size)
            np.save(boxes_path, _read(samples, spec, feeding.workers, grey))
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        grey.flush()
        draft.rename(path)
    return Store(tuple(samples), np.load(path, mmap_mode="r"), np.load(boxes_path))


def _fingerprint(samples: Sequence[Sample], spec: InputSpec) -> str:
    """Return a key of the files in their current state and of the preprocessing."""
    digest = hashlib.sha256(spec.model_dump_json().encode())
    for sample in samples:
        status = sample.path.stat()
        parts: tuple[object, ...] = (sample.path, sample.frame, sample.crop, sample.box)
        digest.update(repr((*parts, status.st_size, status.st_mtime_ns)).encode())
    return digest.hexdigest()[:16]
