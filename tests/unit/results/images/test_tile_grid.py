"""Where the tiles of a contact sheet lie, and what is written beside them."""

import numpy as np
import pytest

from pacs_ai.results.images.lettering import AMBER, Legend, Line, headline
from pacs_ai.results.images.tile_grid import LONGEST, Tile, TileGrid, draw_sheet, grid_of

LEGEND = Legend((headline("Lesion: present"), Line("model"), Line("NOTICE", AMBER)), bar=True)
SHAPES = [(512, 512), (256, 256), (1000, 800), (600, 1100), (3000, 4000), (2000, 90), (90, 2000)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", range(1, 10))
def test_tiles_have_room_and_the_sheet_the_proportion_of_its_image(
    count: int, shape: tuple[int, int]
) -> None:
    grid = grid_of(count, shape, 1, LEGEND)
    rows, columns = grid.canvas
    assert max(grid.canvas) <= 1.05 * LONGEST
    assert rows / columns == pytest.approx(shape[0] / shape[1], rel=0.012)
    places = [grid.place(number) for number in range(count)]
    assert len(set(places)) == count
    for top, left in places:
        assert top >= 0
        assert left >= 0
        assert top + grid.size[0] + grid.caption + grid.text <= rows
        assert left + grid.size[1] < columns
    assert grid.pitch[1] > grid.size[1], "a gap"
    assert grid.pitch[0] == grid.size[0] + grid.caption


def image_part(grid: TileGrid, drawn: np.ndarray, number: int) -> np.ndarray:
    top, left = grid.place(number)
    return drawn[top : top + grid.size[0], left : left + grid.size[1]]


@pytest.mark.parametrize("count", [1, 2, 5, 9])
@pytest.mark.parametrize("shape", [(512, 512), (600, 1100), (1100, 600)])
def test_nothing_is_written_on_the_images(count: int, shape: tuple[int, int]) -> None:
    grid = grid_of(count, shape, 1, LEGEND)
    tiles = [np.full((*grid.size, 3), 20 * number + 20, np.uint8) for number in range(count)]
    caption = (Line("Lesion: present, 93.00 %", AMBER), Line("view PA   image 34"))
    drawn = draw_sheet((Tile(one, caption) for one in tiles), grid, LEGEND)
    assert drawn.shape == (*grid.canvas, 3)
    for number, tile in enumerate(tiles):
        assert np.array_equal(image_part(grid, drawn, number), tile)
        image_part(grid, drawn, number)[:] = 0
        top, left = grid.place(number)
        below = drawn[top + grid.size[0] :][: grid.caption, left : left + grid.size[1]]
        letters = (below == AMBER).all(axis=2).any(axis=1).nonzero()[0]
        assert np.ptp(letters) >= 0.015 * min(grid.size)
    end = grid.place(count - 1)[0] + grid.size[0] + grid.caption
    assert (drawn[end:] == AMBER).all(axis=2).any(), "the research marking"
    margin = drawn[:end, grid.place(grid.across - 1)[1] + grid.size[1] :].astype(int)
    assert (np.ptp(margin, axis=2) > 60).any(), "the colour bar"
