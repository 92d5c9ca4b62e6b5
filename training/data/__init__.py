"""From files to samples in splits: scan, label, split, look for leakage, read, feed."""

from training.data.build import build
from training.data.report import text, write_report
from training.data.samples import Dataset
from training.recipe.recipe import Recipe
from training.run.run import Run

__all__ = ["build_dataset"]


def build_dataset(recipe: Recipe, run: Run) -> Dataset:
    """Make the dataset of a recipe, and write down in the run what it is made of.

    Parameters
    ----------
    recipe
        What to do; nothing is downloaded here.
    run
        Gets ``dataset.json``, and ``leakage.csv`` where splits share images.

    Raises
    ------
    DataError
        If data are missing, damaged, contradict each other, hold one class only, or leak; the
        message names a file and the remedy.
    """
    built = build(recipe, run.console, run.folder)
    run.log(text(built.dataset, built.findings))
    write_report(run.folder, built.dataset, built.findings, built.pixels)
    return built.dataset
