"""The whole state of a training on disk, so that going on gives what never stopping gives."""

import io
import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras
import numpy as np

from pacs_ai.errors import DataError
from training.run.disk import write_whole

_STATE = "state"


@dataclass(slots=True)
class Position:
    """How far a training is, and what it has seen.

    ``phase`` counts stages of fine-tuning, ``epoch`` finished epochs of the phase, ``step`` batches
    of the epoch that runs. ``best`` is the best figure on validation so far, of ``best_epoch``;
    ``waited`` and ``flat`` count epochs without a better one, for stopping and for lowering the
    learning rate. ``rows`` holds a row of figures for every epoch.
    """

    phase: int = 0
    epoch: int = 0
    step: int = 0
    best: float | None = None
    best_epoch: int = -1
    waited: int = 0
    flat: int = 0
    rows: list[dict[str, float]] = field(default_factory=list)


def save_state(learner: keras.Model, position: Position, path: Path) -> None:
    """Write position, weights, seeds, optimiser and running metrics; whole or not at all."""
    content = io.BytesIO()
    values = [np.asarray(each) for each in _variables(learner)]
    arrays = {f"v{index}": value for index, value in enumerate(values)}
    text = np.frombuffer(json.dumps(asdict(position)).encode("utf-8"), np.uint8)
    np.savez(content, allow_pickle=False, **{_STATE: text}, **arrays)
    write_whole(path, content.getvalue())


def load_position(path: Path) -> Position | None:
    """Read how far a training was; None if there is no checkpoint.

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
        raise DataError(f"{path} is damaged: remove it to begin this step anew") from error


def load_state(learner: keras.Model, path: Path) -> None:
    """Put a learner, compiled and built as it was, into the state of a checkpoint.

    Raises
    ------
    DataError
        If the file is damaged or of another learner.
    """
    variables = _variables(learner)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            values = [arrays[f"v{index}"] for index in range(len(arrays.files) - 1)]
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is not of this training: remove it to begin anew") from error


def _variables(learner: keras.Model) -> list[keras.Variable]:
    """List all that changes while a learner learns, each once."""
    every = [*learner.variables, *learner.optimizer.variables, *learner.metrics_variables]
    return list({id(variable): variable for variable in every}.values())
