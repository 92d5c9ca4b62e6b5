"""One phantom study: DICOM images of made-up anatomy, with a lesion at a known place.

The same seed gives the same bytes. Nothing in them comes from a patient.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from pacs_ai.phantom.brain import mr_brain
from pacs_ai.phantom.chest_film import chest_film
from pacs_ai.phantom.image_dataset import StudyKey, make_dataset, to_stored
from pacs_ai.phantom.scene import Rng, Scene, chance, draw_lesion, seeded
from pacs_ai.phantom.shapes import EVERYWHERE, Box, Ellipsoid, Floats, Grid, box_of, paint
from pacs_ai.phantom.torso import ct_abdomen, ct_chest
from pacs_ai.uids import derived_uid

Modality = Literal["CT", "MR", "CR", "DX"]
MODALITIES: tuple[Modality, ...] = get_args(Modality)

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
    rng = seeded(modality, seed)
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


def _frame(rng: Rng, columns: int, *, square: bool) -> Grid:
    rows = columns if square else round(columns * rng.uniform(0.95, 1.25))
    return Grid(
        rows,
        columns,
        zoom=rng.uniform(0.85, 1.08),
        dx=rng.uniform(-0.07, 0.07),
        dy=rng.uniform(-0.07, 0.07),
    )


def own_patient_id(modality: Modality, seed: int) -> str:
    """Return the Patient ID of a phantom that nobody gave another one."""
    return f"PHANTOM-{modality}-{seed}"


def _study_key(rng: Rng, modality: Modality, seed: int, patient_id: str | None) -> StudyKey:
    study_uid = derived_uid("phantom", "study", modality, str(seed), patient_id or "")
    return StudyKey(
        modality=modality,
        seed=seed,
        patient_id=patient_id or own_patient_id(modality, seed),
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
