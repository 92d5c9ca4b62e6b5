"""From files to batches: collect and label samples, split, check leakage, read, augment, feed."""

from pacs_ai.errors import DataError
from training.data.build import build
from training.data.report import FILE, text, write_report
from training.data.samples import Dataset
from training.data.split_file import read_split, write_split
from training.recipe.recipe import Recipe
from training.run.run import Run

__all__ = ["build_dataset"]


def build_dataset(recipe: Recipe, run: Run) -> Dataset:
    """Build the dataset of a recipe, and describe it in the run.

    The first time, the split is drawn and written to ``split.csv`` of the run. From then on it is
    the split of the run: other data are refused.

    Parameters
    ----------
    recipe
        The recipe; its data must be downloaded already.
    run
        Gets ``split.csv`` and ``dataset.json``, and ``leakage.csv`` if splits share images.

    Raises
    ------
    DataError
        If data are missing, damaged or contradictory, have only one class, leak between splits,
        or are not those of ``split.csv``; the message names a file and the remedy.
    """
    frozen = read_split(run.split) if run.split.exists() else None
    if frozen is None and run.best.exists() and (run.folder / FILE).exists():
        raise DataError(
            f"{run.split} is missing: it was removed, or an older version trained the run; train "
            "again in another folder"
        )
    built = build(recipe, run.console, run.folder, frozen)
    run.log(text(built.dataset, built.findings))
    if frozen is None:
        write_split(run.split, built.rows)
    write_report(run.folder, built.dataset, built.findings, built.pixels)
    return built.dataset
