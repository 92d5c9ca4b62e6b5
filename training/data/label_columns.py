"""Which columns of a labels file of pictures have the labels."""

from pathlib import Path

from pacs_ai.csv_file import read_header
from training.data.classes import Classes
from training.data.label_values import LabelColumns
from training.recipe.data import PictureData


def columns_of(data: PictureData, table: Path, classes: Classes) -> LabelColumns:
    """Find the columns of labels: those of the recipe, or those named like the classes.

    Parameters
    ----------
    data
        The section of the recipe.
    table
        The labels file.
    classes
        The classes of the recipe.

    Raises
    ------
    DataError
        If labels may be uncertain and the classes exclude each other, or the file cannot be read.
    """
    if data.label_columns:
        return _columns(data, data.label_columns, each=True)
    header = read_header(table)
    known = tuple(name for name in header if classes.knows(name))
    if data.label_column not in header and known:
        return _columns(data, known, each=True)
    return _columns(data, (data.label_column,), each=False)


def _columns(data: PictureData, columns: tuple[str, ...], *, each: bool) -> LabelColumns:
    return LabelColumns(columns, each, data.separator, data.uncertain)
