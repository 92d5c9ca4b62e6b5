"""Make a bundle of eight bits with images of a folder: for a model that has no run and no labels.

Half of the studies give the ranges, the other half is for the comparison. The decisions of the
network in float32 take the place of labels: the AUC tells how well the probabilities of the smaller
network separate the images that the original calls positive from those that it calls negative. The
AUC of the original is then 1.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pacs_ai.dicom.header import read_header
from pacs_ai.dicom.study_files import StudyFiles, find_files, group_studies
from pacs_ai.errors import DataError, NotDicom
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.quantisation import LEAST_IMAGES, QuantisationReport
from pacs_ai.model.spec import InputSpec
from training.bundle.precision import run_original
from training.bundle.smaller import COST_TITLE, MOST_COMPARED, add_to_card, evenly, write_int8
from training.data.read import read_input
from training.data.samples import Sample

Images = npt.NDArray[np.float32]

MOST_CALIBRATED = 128
"""The largest number of images that give the ranges."""


def quantise_folder(
    folder: Path, paths: Sequence[Path], log: Callable[[str], None]
) -> dict[str, Any]:
    """Write ``NAME-int8`` beside a bundle, if it is close enough to the network in float32.

    Parameters
    ----------
    folder
        The bundle in float32.
    paths
        DICOM files, or folders of them. Images of other modalities than the bundle's are left out.
    log
        Is told what is done.

    Returns
    -------
    dict
        The bundle, its report, and the number of calibration images.

    Raises
    ------
    DataError
        If there are fewer than 50 readable images for the comparison, or none for the ranges.
    PrecisionRefused
        If eight bits are too far from float32.
    """
    original = load_bundle(folder)
    studies, _ = group_studies(find_files(paths).files)
    ordered = sorted(studies, key=lambda study: _digest(study.study_instance_uid))
    ranges = _read(ordered[0::2], original.input, MOST_CALIBRATED)
    compared = _read(ordered[1::2], original.input, MOST_COMPARED)
    if not len(ranges) or len(compared) < LEAST_IMAGES:
        raise DataError(
            f"{len(ranges)} images give the ranges, {len(compared)} are compared: at least 1 and "
            f"{LEAST_IMAGES} are needed, of different studies"
        )
    log(f"running the network in float32 on {len(compared)} images")
    seen = run_original(original, compared, None, "folder")
    target, report = write_int8(original, ranges, seen, log)
    add_to_card(target, _cost(report))
    return {
        "bundle": str(target),
        "calibration_images": len(ranges),
        "report": report.model_dump(),
        "summary": report.summary,
    }


def _cost(report: QuantisationReport) -> str:
    """Say in the card what the bundle has, and how far that is from what the card describes."""
    return (
        f"{COST_TITLE}\nThis bundle has the network in eight bits (int8). What stands above is "
        f"that of the network in float32 (sha256 {report.original[:12]}). The two were run on "
        f"{report.images} images without labels; the decisions of the network in float32 took "
        "the place of the truth. Largest differences:\n\n"
        f"- AUC of a class: {report.auc_difference:.3g}\n"
        f"- a probability: {report.probability_difference:.3g}\n"
        f"- correlation of the heat maps: mean {report.map_correlation:.3f}, 5th percentile "
        f"{report.lowest_map_correlation:.3f}\n"
    )


def _read(studies: Sequence[StudyFiles], spec: InputSpec, most: int) -> Images:
    """Read images of studies as inputs of the network; what cannot be read is left out."""
    found = []
    for path in evenly([path for study in studies for path in study.files], most):
        try:
            header = read_header(path)
            if header.has_pixels and header.modality in spec.modalities:
                found.append(read_input(Sample(path, "", ()), spec))
        except (NotDicom, DataError):
            continue
    return np.array(found, dtype=np.float32)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
