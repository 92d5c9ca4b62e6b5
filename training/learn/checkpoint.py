"""The whole state of a training on disk: a resumed training gives the same weights."""

import io
import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras
import numpy as np

from pacs_ai.errors import DataError
from pacs_ai.files import atomic_write

_STATE = "state"


@dataclass(slots=True)
class Position:
    """How far a training is.

    ``phase`` counts the stages of fine-tuning, ``epoch`` the finished epochs of the phase, ``step``
    the batches of the current epoch. ``best`` is the best monitored value on validation so far,
    from ``best_epoch``. ``waited`` and ``flat`` count the epochs without a better one: ``waited``
    for early stopping, ``flat`` for the plateau schedule. ``rows`` has a row for every epoch.
    """

    phase: int = 0
    epoch: int = 0
    step: int = 0
    best: float | None = None
    best_epoch: int = -1
    waited: int = 0
    flat: int = 0
    rows: list[dict[str, float]] = field(default_factory=list)


def save_state(model: keras.Model, position: Position, path: Path) -> None:
    """Write position, weights, seeds, optimiser and running metrics, as one atomic write."""
    content = io.BytesIO()
    values = [np.asarray(each) for each in _variables(model)]
    arrays = {f"v{index}": value for index, value in enumerate(values)}
    text = np.frombuffer(json.dumps(asdict(position)).encode("utf-8"), np.uint8)
    np.savez(content, allow_pickle=False, **{_STATE: text}, **arrays)
    atomic_write(path, content.getvalue())


def load_position(path: Path) -> Position | None:
    """Read the position of a training; None if there is no checkpoint.

    Raises
    ------
    DataError
        If the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return Position(**json.loads(arrays[_STATE].tobytes()))
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is damaged: remove it to start this step again") from error


def load_state(model: keras.Model, path: Path) -> None:
    """Restore a compiled and built model from a checkpoint.

    Raises
    ------
    DataError
        If the file is damaged or belongs to another model.
    """
    variables = _variables(model)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            values = [arrays[f"v{index}"] for index in range(len(arrays.files) - 1)]
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is not of this training: remove it to start again") from error


def _variables(model: keras.Model) -> list[keras.Variable]:
    """List all variables that training changes, each once."""
    every = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    return list({id(variable): variable for variable in every}.values())
