"""The picture of a contact sheet: images with their captions in rows, a legend below them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pacs_ai.results.images.lettering import Legend, Line, Picture, draw_bar, write
from pacs_ai.results.images.overlay import legend_unit
from pacs_ai.results.images.picture_geometry import picture_size

LONGEST = 2048
"""Pixels of the longer side of a sheet, at most."""

_CAPTION = (0.09, 0.03)  # height of a caption, of the unit of a tile; more for each in a row
_LINE = 0.026  # height of a line of the legend, of the unit of all tiles in a row
_FEW = 1.6  # tiles in a row below which the lines of the legend are no smaller
_BAR = 0.7  # size of the colour bar, of what it would be beside an image as large as all tiles
_MARGIN = 0.16  # width of the margin that it needs, of the same
_SLENDEREST = 48  # greatest ratio of the sides of a tile
_GAP = 0.03  # least distance of tiles in a row, of their width


@dataclass(frozen=True, slots=True)
class Tile:
    """An image as it is painted, and what is written below it."""

    image: Picture
    caption: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class TileGrid:
    """Where the tiles of a contact sheet lie, in pixels.

    Parameters
    ----------
    across
        Tiles in a row.
    lines
        Rows of tiles that are used.
    size
        Rows and columns of the image of a tile.
    caption
        Rows of what is written below it.
    pitch
        Rows and columns from one tile to the next.
    first
        Row and column of the upper left corner of the first tile.
    text
        Rows of the legend.
    canvas
        Rows and columns of the sheet: in the proportion of the image, as whoever compares the
        shapes expects.
    """

    across: int
    lines: int
    size: tuple[int, int]
    caption: int
    pitch: tuple[int, int]
    first: tuple[int, int]
    text: int
    canvas: tuple[int, int]

    def place(self, number: int) -> tuple[int, int]:
        """Row and column of the upper left corner of a tile; they count from 0."""
        line, place = divmod(number, self.across)
        return self.first[0] + line * self.pitch[0], self.first[1] + place * self.pitch[1]


def grid_of(count: int, shape: tuple[int, int], aspect: float, legend: Legend) -> TileGrid:
    """Lay out the tiles of a sheet, as many in a row as there are rows.

    Parameters
    ----------
    count
        Number of tiles.
    shape, aspect
        Rows and columns of the first image, and height of its pixels in proportion to their width.
    legend
        What is written below all tiles.
    """
    high, wide = picture_size(*shape, aspect)
    whole = max(high, wide // _SLENDEREST), max(wide, high // _SLENDEREST)
    grid = _grid(count, whole, whole, legend)
    longest = max(grid.canvas)
    if longest <= LONGEST:
        return grid
    scale = LONGEST / longest
    size = max(1, math.floor(whole[0] * scale)), max(1, math.floor(whole[1] * scale))
    return _grid(count, size, whole, legend)


def draw_sheet(tiles: Iterable[Tile], grid: TileGrid, legend: Legend) -> Picture:
    """Draw a contact sheet.

    Parameters
    ----------
    tiles
        In their order, at least one; an image smaller than a tile stands in its middle.
    grid
        Where they lie.
    legend
        What is written below them; the colour bar stands at their right.

    Returns
    -------
    Picture
        Shape (rows, columns, 3), RGB: that of ``grid.canvas``.
    """
    rows, columns = grid.size
    sheet = np.zeros((*grid.canvas, 3), dtype=np.uint8)
    for number, tile in enumerate(tiles):
        top, left = grid.place(number)
        down = top + (rows - tile.image.shape[0]) // 2
        right = left + (columns - tile.image.shape[1]) // 2
        sheet[down : down + tile.image.shape[0], right : right + tile.image.shape[1]] = tile.image
        caption = sheet[top + rows : top + rows + grid.caption, left : left + grid.pitch[1]]
        write(caption, tile.caption, share=1.0)
    low = grid.first[0] + grid.lines * grid.pitch[0]
    write(sheet[low : low + grid.text], legend.lines, share=1.0)
    if legend.bar:
        beside = grid.place(grid.across - 1)[1] + columns
        draw_bar(
            sheet[grid.first[0] : low - grid.caption, beside:], _bar_unit(grid.across, grid.size)
        )
    return sheet


def _grid(count: int, size: tuple[int, int], whole: tuple[int, int], legend: Legend) -> TileGrid:
    """Lay out tiles of a size; ``whole`` has the proportion before it was rounded."""
    rows, columns = size
    across = math.isqrt(count - 1) + 1
    lines = math.ceil(count / across)
    least, more = _CAPTION
    caption = math.ceil((least + more * across) * legend_unit(size))
    text = math.ceil((sum(line.size for line in legend.lines) + 1) * _line_height(across, size))
    margin = math.ceil(_MARGIN * _bar_unit(across, size))
    high = across * (rows + caption) + text
    wide = across * math.ceil(columns * (1 + _GAP)) + margin
    share = max(high / whole[0], wide / whole[1])
    canvas = math.ceil(share * whole[0]), math.ceil(share * whole[1])
    pitch = rows + caption, (canvas[1] - margin) // across
    spare = canvas[0] - lines * pitch[0] - text
    first = spare // 2, (pitch[1] - columns) // 2
    return TileGrid(across, lines, size, caption, pitch, first, text, canvas)


def _line_height(across: int, size: tuple[int, int]) -> float:
    return _LINE * max(across, _FEW) * legend_unit(size)


def _bar_unit(across: int, size: tuple[int, int]) -> int:
    return round(_BAR * across * min(size))
