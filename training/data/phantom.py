"""Collect phantom samples, which are generated on this machine."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import track

from pacs_ai.phantom import (
    LABELS_FILE,
    LabelRow,
    PhantomStudy,
    Planned,
    read_labels,
    write_phantom_collection,
)
from training.data.classes import Collected, CollectedSample
from training.data.pool import parallel_map
from training.data.samples import SPLITS, Sample
from training.recipe.data import PhantomData
from training.run.disk import clear_disk_errors

_SEED_STEP = 1_000_003
"""Distance of the seeds of two splits, so that they share no patient."""
_MANY, _CHUNK = 200, 8
"""A study takes 60 ms: several processes are faster from 200 studies, in chunks of 8."""


def collect_phantoms(data: PhantomData, console: Console, limit: int | None = None) -> Collected:
    """Generate the phantoms of a recipe, unless they exist, and list them.

    The name of a folder has the number of studies and the seed. A split is complete if its labels
    file exists, because that is written last. ``limit`` is the largest number of studies of a
    split.
    """
    counts = (data.train_studies, data.validation_studies, data.test_studies)
    found: list[CollectedSample] = []
    for index, (name, wanted) in enumerate(zip(SPLITS, counts, strict=True)):
        studies = wanted if limit is None else min(wanted, limit)
        folder = data.folder / f"{name}-{studies}-{data.seed}"
        if not (folder / LABELS_FILE).exists():
            seed = data.seed + index * _SEED_STEP
            drawn = partial(_drawn, console=console, what=f"Drawing phantoms: {name}")
            write_phantom_collection(folder, studies, seed, drawn)
        found += [CollectedSample(_sample(folder, row), name) for row in read_labels(folder)]
    return Collected(tuple(found))


def drawn_studies(files: Iterable[str]) -> int:
    """Return the largest number of studies that a split was generated with, from names of files."""
    return max(int(file.split("/")[0].split("-")[1]) for file in files)


def _drawn(planned: Sequence[Planned], console: Console, what: str) -> Iterator[PhantomStudy]:
    """Generate studies on all cores, because they are limited by computation."""
    studies = parallel_map(_draw, planned, many=_MANY, chunk=_CHUNK)
    yield from track(studies, what, len(planned), console=console, transient=True)


def _draw(planned: Planned) -> PhantomStudy:
    with clear_disk_errors(planned.args[0].parent):
        return planned()


def _sample(folder: Path, row: LabelRow) -> Sample:
    box = None
    if row.x0 is not None and row.y0 is not None and row.x1 is not None and row.y1 is not None:
        box = (float(row.x0), float(row.y0), float(row.x1), float(row.y1))
    return Sample(
        path=folder / row.file,
        patient=row.patient_id,
        labels=(row.label,),
        study=row.study_uid,
        series=row.series_uid,
        instance=row.sop_uid,
        box=box,
        groups={"modality": row.modality},
    )
