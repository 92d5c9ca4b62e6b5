"""From files to batches: collect and label samples, split, check leakage, read, augment, feed."""

from training.data.build import build
from training.data.report import text, write_report
from training.data.samples import Dataset
from training.recipe.recipe import Recipe
from training.run.run import Run

__all__ = ["build_dataset"]


def build_dataset(recipe: Recipe, run: Run) -> Dataset:
    """Build the dataset of a recipe, and describe it in the run.

    Parameters
    ----------
    recipe
        The recipe; its data must be downloaded already.
    run
        Gets ``dataset.json``, and ``leakage.csv`` if splits share images.

    Raises
    ------
    DataError
        If data are missing, damaged or contradictory, have only one class, or leak between
        splits; the message names a file and the remedy.
    """
    built = build(recipe, run.console, run.folder)
    run.log(text(built.dataset, built.findings))
    write_report(run.folder, built.dataset, built.findings, built.pixels)
    return built.dataset
