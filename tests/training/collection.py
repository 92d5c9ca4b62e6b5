"""A collection of phantoms as an archive would have it, and a recipe that downloads it."""

import csv
from collections.abc import Mapping
from pathlib import Path

from pacs_ai.phantom import LABELS_FILE, read_labels, write_phantom_collection
from tests.training.nbia_server import COLLECTION
from training.recipe.recipe import RECIPES

_SEED_STEP = 1_000_003
_LABELS = ("sop_uid", "label", "x0", "y0", "x1", "y1")
_DATA = """
[data]
source = "dicom"
folder = "images"
collection = "{collection}"
server = "{server}"
names = {{ 0 = "no finding", 1 = "lesion" }}

[data.labels]
kind = "table"
files = [{{ file = "labels.csv" }}]
key = "SOPInstanceUID"
key_column = "sop_uid"
split_column = "split"
box_columns = ["x0", "y0", "x1", "y1"]

"""


def write_collection(folder: Path, studies: Mapping[str, int], labels: Path, seed: int) -> None:
    """Draw a collection.

    Parameters
    ----------
    folder
        What the archive is to serve.
    studies
        How many of each split.
    labels
        The CSV file that the publishers of a collection put on its page: a row for each image.
    seed
        Source of all chance; splits share no patient.
    """
    rows = []
    for number, (split, count) in enumerate(studies.items()):
        write_phantom_collection(folder / split, count, seed + number * _SEED_STEP)
        for row in read_labels(folder / split):
            rows.append([*(getattr(row, name) for name in _LABELS), split])
        (folder / split / LABELS_FILE).unlink()
    with labels.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*_LABELS, "split"])
        writer.writerows(rows)


def collection_recipe(server: str, changes: Mapping[str, str]) -> str:
    """Make of the phantom recipe one that downloads its images, with some texts replaced."""
    text = (RECIPES / "phantom.toml").read_text(encoding="utf-8")
    start, end = text.index("[data]"), text.index("[split]")
    text = _DATA.format(collection=COLLECTION, server=server) + text[:start] + text[end:]
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text
