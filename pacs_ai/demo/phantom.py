"""Phantom studies: DICOM images of made-up anatomy, with lesions at known places.

The same seed gives the same bytes. Nothing in them comes from a patient.
"""

import csv
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from pacs_ai.demo.anatomy import EVERYWHERE, Box, Ellipsoid, Floats, Grid, box_of, paint
from pacs_ai.demo.brain import mr_brain
from pacs_ai.demo.film import chest_film
from pacs_ai.demo.phantom_iod import StudyKey, make_dataset, to_stored
from pacs_ai.demo.scene import Rng, Scene, chance, draw_lesion
from pacs_ai.demo.trunk import ct_abdomen, ct_chest
from pacs_ai.uids import derived_uid

Modality = Literal["CT", "MR", "CR", "DX"]
MODALITIES: tuple[Modality, ...] = get_args(Modality)

LABELS_FILE = "labels.csv"
MIN_SLICES, MAX_SLICES = 3, 12
_VISIBLE = 0.5
"""A slice shows a lesion where it cuts it at half its width or more; elsewhere none is drawn."""

_SCENES: dict[Modality, tuple[Callable[[Rng], Scene], ...]] = {
    "CT": (ct_chest, ct_abdomen),
    "MR": (mr_brain,),
    "CR": (chest_film,),
    "DX": (chest_film,),
}
_COLUMNS: dict[Modality, tuple[int, ...]] = {
    "CT": (256, 320, 512),
    "MR": (128, 192, 256),
    "CR": (384, 512),
    "DX": (384, 512),
}


@dataclass(frozen=True, slots=True)
class PhantomImage:
    """One image: its file, and the lesion's box (x0, y0, x1, y1) in pixels, half open, or None."""

    path: Path
    sop_uid: str
    box: Box | None


@dataclass(frozen=True, slots=True)
class PhantomStudy:
    """One phantom study as written.

    ``box`` is the lesion in image ``slice_index`` (from 0), where it is widest; without a lesion
    ``box`` is None and ``slice_index`` 0.
    """

    modality: Modality
    patient_id: str
    study_uid: str
    series_uid: str
    images: tuple[PhantomImage, ...]
    slice_index: int

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, in the order of the slices."""
        return tuple(image.path for image in self.images)

    @property
    def box(self) -> Box | None:
        """The lesion's box in the image where it is widest."""
        return self.images[self.slice_index].box

    @property
    def lesion(self) -> bool:
        """Whether there is a lesion."""
        return self.box is not None


Planned = partial[PhantomStudy]
"""A call of `write_phantom_study` that is still to be made."""
Draw = Callable[[Sequence[Planned]], Iterable[PhantomStudy]]


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One line of the labels file, one for each image. Without a lesion the box is empty."""

    file: str
    patient_id: str
    study_uid: str
    series_uid: str
    sop_uid: str
    modality: str
    label: int
    x0: int | None
    y0: int | None
    x1: int | None
    y1: int | None


def write_phantom_study(
    folder: Path,
    modality: Modality,
    seed: int,
    *,
    lesion: bool,
    patient_id: str | None = None,
    slices: int | None = None,
    columns: int | None = None,
) -> PhantomStudy:
    """Write one study with or without a lesion.

    Parameters
    ----------
    folder
        Where the files go; made if absent.
    modality
        CT (chest or abdomen), MR (brain), CR or DX (chest radiograph).
    seed
        Everything follows from it, the modality and the choices below.
    lesion
        Whether there is one. Stacks show it on a few neighbouring slices.
    patient_id
        Whose study; by default the phantom's own, made from the seed.
    slices
        Number of images of a CT or MR; by default 3 to 12. Radiographs have one.
    columns
        Width in pixels; by default one of those usual for the modality.
    """
    rng = _chance_of(modality, seed)
    scene = _SCENES[modality][int(rng.integers(len(_SCENES[modality])))](rng)
    width = columns or int(rng.choice(_COLUMNS[modality]))
    stack = modality in ("CT", "MR")
    count = (slices or int(rng.integers(MIN_SLICES, MAX_SLICES + 1))) if stack else 1
    grid = _frame(rng, width, square=stack)
    key = _study_key(rng, modality, seed, patient_id)
    depths = np.linspace(-0.5, 0.5, count) if stack else np.zeros(1)
    inner = (1, count - 1) if count >= MIN_SLICES else (0, count)
    middle = int(rng.integers(*inner))
    drawn = _lesion(rng, scene, depths, middle) if lesion else None
    folder.mkdir(parents=True, exist_ok=True)
    images = []
    for index, z in enumerate(depths):
        picture, box = _slice(rng, scene, grid, float(z), drawn)
        dataset = make_dataset(key, scene, to_stored(key, picture), index, count)
        path = folder / f"{modality}{index + 1:04d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        images.append(PhantomImage(path, str(dataset.SOPInstanceUID), box))
    return PhantomStudy(
        modality,
        key.patient_id,
        key.study_uid,
        key.series_uid,
        tuple(images),
        middle if lesion else 0,
    )


def write_phantom_collection(
    folder: Path, studies: int, seed: int, draw: Draw | None = None
) -> list[PhantomStudy]:
    """Write many studies and their labels.

    Modalities take turns, half of the studies (by chance) hold a lesion, and every fourth study is
    of the same patient as the one before it, so that a split must look at patients.

    Parameters
    ----------
    folder
        Where they go, a folder each, beside ``labels.csv`` (columns: `LabelRow`).
    studies
        How many.
    seed
        Two collections with different seeds share no study and no patient.
    draw
        Draws what was planned and gives it in its order; by default one after the other.
    """
    rng = _chance_of("collection", seed)
    planned: list[Planned] = []
    patient = ""
    for index in range(studies):
        again = index % 4 == 3  # noqa: PLR2004 - every fourth
        modality, number = MODALITIES[index % len(MODALITIES)], int(rng.integers(2**48))
        planned.append(
            partial(
                write_phantom_study,
                folder / f"study{index:05d}",
                modality,
                number,
                lesion=chance(rng, 0.5),
                patient_id=patient if again else None,
            )
        )
        patient = _patient_id(modality, number)
    written = list(draw(planned)) if draw else [study() for study in planned]
    _write_labels(folder, written)
    return written


def read_labels(folder: Path) -> list[LabelRow]:
    """Read the labels of a collection."""
    with (folder / LABELS_FILE).open(newline="", encoding="utf-8") as lines:
        return [_label_row(line) for line in csv.DictReader(lines)]


def _label_row(line: dict[str, str]) -> LabelRow:
    x0, y0, x1, y1 = (int(line[name]) if line[name] else None for name in ("x0", "y0", "x1", "y1"))
    return LabelRow(
        file=line["file"],
        patient_id=line["patient_id"],
        study_uid=line["study_uid"],
        series_uid=line["series_uid"],
        sop_uid=line["sop_uid"],
        modality=line["modality"],
        label=int(line["label"]),
        x0=x0,
        y0=y0,
        x1=x1,
        y1=y1,
    )


def _write_labels(folder: Path, studies: list[PhantomStudy]) -> None:
    with (folder / LABELS_FILE).open("w", newline="", encoding="utf-8") as lines:
        table = csv.writer(lines, lineterminator="\n")
        table.writerow(field.name for field in fields(LabelRow))
        for study in studies:
            for image in study.images:
                row = LabelRow(
                    image.path.relative_to(folder).as_posix(),
                    study.patient_id,
                    study.study_uid,
                    study.series_uid,
                    image.sop_uid,
                    study.modality,
                    int(image.box is not None),
                    *(image.box or (None,) * 4),
                )
                table.writerow(astuple(row))


def _chance_of(name: str, seed: int) -> Rng:
    """Make a source of chance that depends on a name and a seed only."""
    digest = hashlib.sha256(f"phantom|{name}|{seed}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def _frame(rng: Rng, columns: int, *, square: bool) -> Grid:
    rows = columns if square else round(columns * rng.uniform(0.95, 1.25))
    return Grid(
        rows,
        columns,
        zoom=rng.uniform(0.85, 1.08),
        dx=rng.uniform(-0.07, 0.07),
        dy=rng.uniform(-0.07, 0.07),
    )


def _patient_id(modality: Modality, seed: int) -> str:
    return f"PHANTOM-{modality}-{seed}"


def _study_key(rng: Rng, modality: Modality, seed: int, patient_id: str | None) -> StudyKey:
    study_uid = derived_uid("phantom", "study", modality, str(seed), patient_id or "")
    return StudyKey(
        modality=modality,
        seed=seed,
        patient_id=patient_id or _patient_id(modality, seed),
        study_uid=study_uid,
        series_uid=derived_uid("phantom", "series", study_uid),
        inverted=modality == "CR" and chance(rng, 0.5),
    )


def _lesion(rng: Rng, scene: Scene, depths: Floats, middle: int) -> Ellipsoid:
    if depths.size == 1:
        return draw_lesion(rng, scene, 0.0, EVERYWHERE)
    step = float(depths[1] - depths[0])
    return draw_lesion(rng, scene, float(depths[middle]), step * rng.uniform(1.2, 2.4))


def _slice(
    rng: Rng, scene: Scene, grid: Grid, z: float, lesion: Ellipsoid | None
) -> tuple[Floats, Box | None]:
    """Render one slice and say where in it the lesion lies."""
    picture = scene.render(rng, grid, z)
    box = None
    if lesion is not None and lesion.scale_at(z) >= _VISIBLE:
        paint(picture, grid, lesion, z)
        box = box_of(grid, lesion, z)
    return scene.finish(rng, picture), box
