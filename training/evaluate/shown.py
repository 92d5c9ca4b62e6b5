"""Which images of a study the node would show to the model, by the node's own choice."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pacs_ai.coverage import ALL_IMAGES
from pacs_ai.dicom.header import read_header
from pacs_ai.dicom.series import InputRules, select_images
from pacs_ai.errors import NoFittingSeries
from pacs_ai.model.spec import InputSpec
from training.data.samples import Sample


def shown_images(samples: Sequence[Sample], spec: InputSpec) -> npt.NDArray[np.bool_]:
    """Mark the images that count for the figures of studies.

    Parameters
    ----------
    samples
        Samples of one or more studies, n images.
    spec
        Its ``images`` says which images of a sequence the model is shown.

    Returns
    -------
    NDArray
        Shape (n,). All, if the model is shown all images; also all images of a study that is no
        DICOM study, or of which the node would show none.
    """
    marks = np.ones(len(samples), dtype=bool)
    if spec.images == ALL_IMAGES:
        return marks
    rules = InputRules(spec.modalities, spec.max_images, images=spec.images)
    for rows in _studies(samples):
        wanted = _selected([samples[row].path for row in rows], rules)
        found = np.array([(samples[row].path, samples[row].frame + 1) in wanted for row in rows])
        if found.any():
            marks[rows] = found
    return marks


def _studies(samples: Sequence[Sample]) -> list[list[int]]:
    """Group the indices of DICOM samples by study."""
    studies: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        if sample.study:
            studies.setdefault(sample.study, []).append(index)
    return list(studies.values())


def _selected(paths: Sequence[Path], rules: InputRules) -> frozenset[tuple[Path, int]]:
    headers = [read_header(path) for path in dict.fromkeys(paths)]
    try:
        chosen = select_images(headers, rules).frames
    except NoFittingSeries:
        return frozenset()
    return frozenset((header.path, frame) for header, frame in chosen)
