"""The baselines of an evaluation as a file, so that those of several folds can be joined."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pacs_ai.errors import DataError
from pacs_ai.files import atomic_write
from training.evaluate.results import Baseline
from training.statistics.calibration import Calibration

BASELINES = "baselines.npz"
_LOGITS, _CALIBRATION = "logits", "calibration"


def save_baselines(path: Path, baselines: Mapping[str, Baseline]) -> None:
    """Write baselines as one file of arrays."""
    arrays: dict[str, np.ndarray] = {}
    for name, each in baselines.items():
        arrays[f"{name} {_LOGITS}"] = each.logits
        numbers = [each.calibration.temperature, *each.calibration.thresholds]
        arrays[f"{name} {_CALIBRATION}"] = np.array(numbers, dtype=np.float64)
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    atomic_write(path, content.getvalue())


def load_baselines(path: Path) -> dict[str, Baseline]:
    """Read what `save_baselines` wrote.

    Raises
    ------
    DataError
        If the file is missing or damaged.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        names = [name.removesuffix(f" {_LOGITS}") for name in arrays if name.endswith(_LOGITS)]
        return {
            name: Baseline(
                arrays[f"{name} {_LOGITS}"], _calibration(arrays[f"{name} {_CALIBRATION}"])
            )
            for name in names
        }
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} holds no baselines: pacs-ai evaluate {path.parent.parent}"
        ) from error


def _calibration(numbers: np.ndarray) -> Calibration:
    temperature, *thresholds = numbers.tolist()
    return Calibration(temperature, tuple(thresholds))
