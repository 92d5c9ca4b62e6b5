"""From files to batches: collect and label samples, split, check leakage, read, augment, feed."""

from pacs_ai.errors import DataError
from training.data.build import build
from training.data.external import build_external
from training.data.learned import read_learned, was_learned, write_learned
from training.data.report import FILE, text, write_report
from training.data.samples import Dataset
from training.data.split_file import read_split, write_split
from training.recipe.recipe import Recipe
from training.run.run import Run

__all__ = ["build_dataset", "build_other"]


def build_dataset(recipe: Recipe, run: Run) -> Dataset:
    """Build the dataset of a recipe, and describe it in the run.

    The first time, the split is drawn and written to ``split.csv`` of the run. From then on it is
    the split of the run: other data are refused.

    Parameters
    ----------
    recipe
        The recipe; its data must be downloaded already.
    run
        Gets ``split.csv``, ``learned.npz`` and ``dataset.json``, and ``leakage.csv`` if splits
        share images.

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
    if not run.learned.exists():
        pairs = zip(built.rows, built.prints, strict=True)
        learnt = [shown for row, shown in pairs if was_learned(row) and shown is not None]
        write_learned(run.learned, learnt)
    write_report(run.folder, built.dataset, built.findings, built.pixels)
    return built.dataset


def build_other(recipe: Recipe, run: Run, by: Run) -> Dataset:
    """Build a dataset of other data for the network of a run, and describe it.

    Parameters
    ----------
    recipe
        The recipe of ``by`` with other data.
    run
        The folder that gets ``dataset.json``.
    by
        The run that the network learned in.

    Returns
    -------
    Dataset
        All samples are in the test split.

    Raises
    ------
    DataError
        As `build_external` does, or if the images that the model learned from are not known.
    """
    if not by.learned.exists():
        build_dataset(by.recipe, by)
    learned = read_learned(by.learned, read_split(by.split))
    built = build_external(recipe, run.console, learned)
    run.log(text(built.dataset, built.findings))
    write_report(run.folder, built.dataset, built.findings, built.pixels)
    return built.dataset
