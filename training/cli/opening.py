"""Open a run for a command on its network, or make a trial of it."""

import shutil
from pathlib import Path
from typing import Any

from training.cli.options import prepare
from training.run.checks import require_network
from training.run.run import Run

TRIAL = "trial"


def open_run(
    folder: Path, device: str | None, limit: int | None = None, *, calibrated: bool = False
) -> Run:
    """Open a run with a network, or make a trial of it: ``calibrated`` with its calibration."""
    prepare(device)
    run = Run.open(folder)
    require_network(run)
    return run if limit is None else trial_of(run, limit, calibrated=calibrated)


def trial_of(run: Run, limit: int, *, calibrated: bool) -> Run:
    """Make a trial run with few patients and the network of a run; an older trial is removed.

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
    folder = run.folder / TRIAL
    shutil.rmtree(folder, ignore_errors=True)
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
