"""A contact sheet of training images with their augmentation, for people to check."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from PIL import Image, ImageDraw

from training.data.augment import augment
from training.data.read import Floats
from training.data.samples import Sample
from training.data.sampling import balance_groups
from training.data.store import load_store
from training.recipe.recipe import Recipe

_VARIANTS = 7
_ROWS = 10
_MARGIN, _TITLE = 4, 14
_LINE = (255, 190, 60)
"""The box of the finding is amber: visible on dark tissue, also for colour-blind people."""


def contact_sheet(samples: Sequence[Sample], recipe: Recipe, path: Path) -> None:
    """Draw some images, and beside each its augmented variants, into a PNG file.

    Parameters
    ----------
    samples
        Samples of the training split; rows take turns between the balanced groups.
    recipe
        Has the augmentation.
    path
        The PNG file.
    """
    chosen = _turns(samples, recipe)
    store = load_store(chosen, recipe.input, recipe.feeding.model_copy(update={"cache": "memory"}))
    every = np.arange(len(chosen))
    grey, inside = store.grey[..., None], store.inside(every)
    columns = [(grey, inside)]
    for batch in range(_VARIANTS):
        varied, moved = augment(
            tf.constant(grey),
            tf.constant(inside),
            recipe.augmentation,
            recipe.optimisation.seed,
            tf.constant(batch),
        )
        columns.append((np.asarray(varied), np.asarray(moved)))
    names = [" + ".join(recipe.classes[index].name for index in s.labels) for s in chosen]
    _draw(columns, names).save(path)


def _turns(samples: Sequence[Sample], recipe: Recipe) -> list[Sample]:
    groups = [list(group) for group in balance_groups(samples, recipe.feeding)]
    order = [group[turn] for turn in range(_ROWS) for group in groups if turn < len(group)]
    return [samples[index] for index in order[:_ROWS]]


def _draw(columns: Sequence[tuple[Floats, Floats]], names: Sequence[str]) -> Image.Image:
    height, width = columns[0][0].shape[1:3]
    across, down = width + _MARGIN, height + _MARGIN + _TITLE
    sheet = Image.new("RGB", (across * len(columns), down * len(names)), "black")
    pen = ImageDraw.Draw(sheet)
    for row, name in enumerate(names):
        pen.text((_MARGIN, row * down), name, fill="white")
        for column, (grey, inside) in enumerate(columns):
            picture = _tile(grey[row, ..., 0], inside[row, ..., 0])
            sheet.paste(Image.fromarray(picture), (column * across, row * down + _TITLE))
    return sheet


def _tile(grey: Floats, inside: Floats) -> npt.NDArray[np.uint8]:
    """Convert an image to RGB, and draw the edge of the box."""
    shades = np.rint(np.clip(grey, 0, 1) * 255).astype(np.uint8)
    tile = np.repeat(shades[..., None], 3, axis=2)
    marked = np.pad(inside > 0, 1)
    within = marked[:-2, 1:-1] & marked[2:, 1:-1] & marked[1:-1, :-2] & marked[1:-1, 2:]
    tile[marked[1:-1, 1:-1] & ~within] = _LINE
    return tile
