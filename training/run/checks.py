"""Refuse results of a run that do not fit together: each error names what differs, and the remedy.

`training.run.provenance` says what is compared.
"""

import shlex
from collections.abc import Sequence

from pacs_ai.errors import ConfigError, DataError
from training.run.provenance import Provenance
from training.run.run import RECIPE, Run

_OWN_COMMAND = ("finetune", "evaluate", "explain", "export")


def require_network(run: Run, *, finished: bool = False) -> None:
    """Check that the network of a run is the one that its training made, with its recipe and split.

    Parameters
    ----------
    run
        The run.
    finished
        Whether training has to be finished, with the fine-tuning of the recipe.

    Raises
    ------
    DataError
        If there is no network, or one for each fold, its file was replaced, or recipe or split have
        changed since.
    """
    refuse_folds(run)
    if not run.best.is_file():
        raise DataError(f"{run.folder} has no trained network: {resume_command(run)}")
    wanted = ["train"] if run.recipe.finetune is None else ["train", "finetune"]
    missing = [step for step in wanted if not run.done(step)]
    if finished and missing:
        raise DataError(f"{run.folder}: {missing[0]} is not finished: {resume_command(run)}")
    begun = next((step for step in ("train", "finetune") if run.begun(step)), None)
    if begun:
        raise DataError(f"{run.folder}: {begun} was stopped: {resume_command(run)}")
    made_by = next((step for step in ("finetune", "train") if run.done(step)), None)
    differences = changes(run, made_by) if made_by else []
    if made_by and differences:
        raise DataError(
            f"{' and '.join(differences)} of {run.folder} changed after {made_by}: "
            f"{_remedy(run, differences)}"
        )


def require_fit(run: Run, step: str, found: Provenance | None, what: str) -> None:
    """Check that a result was made from the weights, the split and the recipe that a run has now.

    Parameters
    ----------
    run
        The run.
    step
        The step that made the result.
    found
        The record in the result.
    what
        The result, as the error names it.

    Raises
    ------
    DataError
        Names what differs, and the command that makes the result again.
    """
    wrong = ["a record of what it was made from"] if found is None else []
    verb = "lacks" if found is None else "was made with other values of"
    wrong = wrong or (found.differences(run.provenance(step)) if found is not None else [])
    if wrong:
        raise DataError(f"{what} {verb} {' and '.join(wrong)}: {step_command(run, step)}")


def changes(run: Run, step: str) -> list[str]:
    """Name what has changed since a step was finished; nothing if it left no record.

    The weights of training may be followed by those of fine-tuning.
    """
    recorded = run.recorded(step)
    weights = step != "train" or not run.done("finetune")
    return recorded.differences(run.provenance(step), weights=weights) if recorded else []


def step_command(run: Run, step: str) -> str:
    """Return the command that does a step of a run again."""
    known = step in _OWN_COMMAND
    return f"pacs-ai {step} {shlex.quote(str(run.folder))}" if known else resume_command(run)


def resume_command(run: Run) -> str:
    """Return the command that does all unfinished steps of a run."""
    folder = shlex.quote(str(run.folder))
    return f"pacs-ai train {folder}/{RECIPE} --out {folder} --resume"


def require_training(run: Run) -> None:
    """Check that a run has a finished training, with the recipe and the split that it has now.

    Raises
    ------
    DataError
        If training is not finished, or recipe or split have changed since.
    """
    refuse_folds(run)
    if run.begun("train") or not (run.done("train") or run.best.is_file()):
        raise DataError(f"{run.folder}: train is not finished: {resume_command(run)}")
    recorded = run.recorded("train")
    if recorded:
        refuse_other_training(run, recorded.differences(run.provenance("train"), weights=False))


def refuse_folds(run: Run) -> None:
    """Refuse a run that has a network for each fold.

    Raises
    ------
    DataError
        Names the folder of a fold.
    """
    if run.recipe.split.folds and not run.recipe.split.fold:
        raise DataError(
            f"{run.folder} has a network for each fold: name the folder of one, such as "
            f"{run.folder / 'fold-1'}"
        )


def refuse_trained(run: Run) -> None:
    """Refuse to search settings in the folder of a training.

    Raises
    ------
    ConfigError
        If the run has a network.
    """
    if run.done("train") or run.begun("train") or run.best.exists():
        raise ConfigError(f"{run.folder} has a training: --out has to name another folder")


def refuse_other_training(run: Run, differences: Sequence[str]) -> None:
    """Refuse to go on with a training whose recipe, split or weights have changed.

    Raises
    ------
    DataError
        If there are differences.
    """
    if differences:
        raise DataError(
            f"{' and '.join(differences)} of {run.folder} changed during or after training: "
            f"{_remedy(run, differences)}"
        )


def _remedy(run: Run, differences: Sequence[str]) -> str:
    """Say how the network fits again."""
    if list(differences) == ["[finetune] of the recipe"]:
        return step_command(run, "finetune")
    return (
        "put the file back as it was, or train in another folder: "
        f"pacs-ai train {shlex.quote(str(run.folder))}/{RECIPE} --out OTHER"
    )
