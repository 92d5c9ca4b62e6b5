"""Open a run for a command on its network, or make a trial of it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from training.cli.options import prepare
from training.run.checks import require_network
from training.run.disk import draft_of
from training.run.run import Run

TRIAL = "trial"


@contextmanager
def opened_run(
    folder: Path, device: str | None, limit: int | None = None, *, calibrated: bool = False
) -> Iterator[Run]:
    """Open a run with a network; with ``limit`` make a trial of it.

    The trial takes the place of an older one when the block ends. If the block ends with an error,
    the older one stays.

    Parameters
    ----------
    calibrated
        Whether a trial gets the calibration of the run.
    """
    prepare(device)
    run = Run.open(folder)
    require_network(run)
    if limit is None:
        yield run
        return
    with draft_of(run.folder / TRIAL) as draft:
        yield _trial_of(run, limit, draft, calibrated=calibrated)


def place_of(folder: Path, limit: int | None) -> Path:
    """Return the folder that has the files of `opened_run` after its block."""
    return folder if limit is None else folder / TRIAL


def _trial_of(run: Run, limit: int, folder: Path, *, calibrated: bool) -> Run:
    """Make a trial run with few patients and the network of a run, in an empty folder.

    Raises
    ------
    DataError
        If the calibration is wanted, and is missing or does not fit the run.
    """
    from pacs_ai.files import atomic_write
    from training.data.report import FILE
    from training.data.split_file import limited, read_split, write_split
    from training.evaluate.internal import TEST_SCORES
    from training.evaluate.publish import CALIBRATION, as_json, calibration_of

    calibration = calibration_of(run) if calibrated else None
    trial = Run.create(run.recipe.model_copy(update={"limit": limit}), folder)
    for path in (run.best, run.folder / FILE, run.evaluation / TEST_SCORES):
        if path.exists():
            target = folder / path.relative_to(run.folder)
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, target)
    write_split(trial.split, limited(read_split(run.split), limit).rows)
    if calibration is not None:
        record = trial.provenance("evaluate").to_dict()
        atomic_write(trial.evaluation / CALIBRATION, as_json(calibration.to_dict() | record))
    return trial


def network_of(run: Run, *, plain: bool = False) -> Any:  # noqa: ANN401 - a network of Keras
    """Load the network that is served, or a plain one: with one view of the image."""
    from training.learn.environment import environment
    from training.learn.train import load_network, load_served_network

    with environment(run.recipe):
        return load_network(run) if plain else load_served_network(run)
