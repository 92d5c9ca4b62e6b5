"""Which images of a study the node would show to the model, by the node's own choice."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pacs_ai.dicom.header import read_header
from pacs_ai.dicom.series import InputRules, select_images
from pacs_ai.domain import InstanceHeader
from pacs_ai.errors import DataError, NoFittingSeries, NotDicom
from pacs_ai.model.applicability import Applicability
from pacs_ai.model.spec import InputSpec
from training.data.picture_file import PICTURES
from training.data.pool import parallel_map
from training.data.read import read_input
from training.data.samples import Sample
from training.recipe.recipe import Recipe

_Frame = tuple[Path, int, str]
"""A file, the number of a frame from 0, and the SOP Instance UID."""


@dataclass(frozen=True, slots=True)
class Served:
    """What the node shows of the studies of n samples.

    ``added`` are images that it shows and that are not among the samples; they have no labels.
    ``places`` (int, shape (n + len(added),)) has the place of each image among those of its study
    that are shown, -1 if it is not shown; the samples come first.
    """

    added: tuple[Sample, ...]
    places: npt.NDArray[np.int64]


def served_images(
    samples: Sequence[Sample], studies: Mapping[str, Sequence[Path]], recipe: Recipe
) -> Served:
    """Choose the images of studies as the node does: `pacs_ai.dicom.series.select_images`.

    Parameters
    ----------
    samples
        Images with labels. One that is not of a DICOM study is shown.
    studies
        All files of the studies, by UID; of a study that is not here, the files of its samples.
    recipe
        Has the input of the network, and the images that the bundle refuses.

    Notes
    -----
    An image that the node cannot read does not count, as there. A sample that is a part of an image
    is not shown: the node shows whole images.
    """
    places = np.array([-1 if _is_dicom(sample) else index for index, sample in enumerate(samples)])
    known = {
        (sample.path, sample.frame): index
        for index, sample in enumerate(samples)
        if _is_dicom(sample) and sample.crop is None
    }
    others: list[Sample] = []
    other_places: list[int] = []
    for first, frames in _frames(samples, studies, recipe):
        for place, (path, frame, uid) in enumerate(frames):
            if (path, frame) in known:
                places[known[path, frame]] = place
            else:
                others.append(_unlabelled(first, path, frame, uid))
                other_places.append(place)
    read = partial(_is_readable, spec=recipe.input)
    readable = list(parallel_map(read, others, recipe.feeding.workers))
    return Served(
        tuple(one for one, good in zip(others, readable, strict=True) if good),
        np.concatenate(
            [places, np.array(other_places, dtype=np.int64)[np.array(readable, dtype=bool)]]
        ),
    )


def shown_images(
    samples: Sequence[Sample], studies: Mapping[str, Sequence[Path]], recipe: Recipe
) -> list[Sample]:
    """Return the images that the node shows of the studies of samples, whether labelled or not.

    Parameters
    ----------
    samples, studies, recipe
        As for `served_images`. No image is decoded: some may be unreadable.
    """
    known = {(sample.path, sample.frame): sample for sample in samples}
    shown = [sample for sample in samples if not _is_dicom(sample) or sample.crop is not None]
    for first, frames in _frames(samples, studies, recipe):
        if first.crop is None:
            shown += [
                known.get((path, frame)) or _unlabelled(first, path, frame, uid)
                for path, frame, uid in frames
            ]
    return shown


def _frames(
    samples: Sequence[Sample], studies: Mapping[str, Sequence[Path]], recipe: Recipe
) -> Iterator[tuple[Sample, list[_Frame]]]:
    """Give the first sample of each study, and what the node shows of the study."""
    members: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if _is_dicom(sample):
            members[sample.study].append(sample)
    paths = [
        tuple(dict.fromkeys(studies.get(study) or [sample.path for sample in own]))
        for study, own in members.items()
    ]
    choose = partial(_chosen, spec=recipe.input, applicability=recipe.export.applicability)
    chosen = parallel_map(choose, paths, recipe.feeding.workers)
    yield from zip((own[0] for own in members.values()), chosen, strict=True)


def _is_dicom(sample: Sample) -> bool:
    return bool(sample.study) and sample.path.suffix.lower() not in PICTURES


def _unlabelled(like: Sample, path: Path, frame: int, uid: str) -> Sample:
    return replace(
        like, path=path, frame=frame, instance=uid, labels=(), box=None, crop=None, votes=()
    )


def _chosen(paths: Sequence[Path], spec: InputSpec, applicability: Applicability) -> list[_Frame]:
    """Choose from the files of one study."""
    headers: list[InstanceHeader] = []
    for path in paths:
        try:
            headers.append(read_header(path))
        except NotDicom:
            continue
    wanted = InputRules(spec.modalities, spec.max_images, applicability.refusal, spec.images)
    try:
        frames = select_images(headers, wanted).frames
    except NoFittingSeries:
        return []
    return [(header.path, frame - 1, header.sop_instance_uid) for header, frame in frames]


def _is_readable(sample: Sample, spec: InputSpec) -> bool:
    try:
        read_input(sample, spec)
    except DataError:
        return False
    return True
