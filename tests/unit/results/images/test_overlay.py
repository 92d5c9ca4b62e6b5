import tracemalloc

import numpy as np
import numpy.typing as npt
import pytest

from pacs_ai.results.images.lettering import AMBER, Legend, Line, headline
from pacs_ai.results.images.overlay import FAINT, canvas, draw, draw_beside
from tests.unit.results.samples import blob

NO_TEXT = Legend((), bar=False)
GREY = np.linspace(0, 1, 64 * 48, dtype=np.float32).reshape(64, 48)
PLAIN = np.repeat(np.rint(GREY * 255).astype(np.uint8)[..., None], 3, axis=2)


def test_where_the_map_is_zero_the_image_is_as_it_was() -> None:
    saliency = np.zeros((8, 6), dtype=np.float32)
    saliency[:2] = 1
    drawn = draw(GREY, saliency, NO_TEXT, GREY.shape)
    np.testing.assert_array_equal(drawn[40:], PLAIN[40:])
    assert (drawn[4] != PLAIN[4]).any()


def test_without_a_map_nothing_is_painted() -> None:
    np.testing.assert_array_equal(draw(GREY, None, NO_TEXT, GREY.shape), PLAIN)


def test_an_image_of_colours_keeps_them_where_the_map_is_zero() -> None:
    colours = np.zeros((64, 48, 3), dtype=np.uint8)
    colours[..., 1] = 200
    saliency = np.zeros((8, 6), dtype=np.float32)
    saliency[:2] = 1
    drawn = draw(colours, saliency, NO_TEXT, (128, 96))
    assert (drawn[80:] == (0, 200, 0)).all()
    assert (drawn[8] != (0, 200, 0)).any()
    both = draw_beside(colours, saliency, NO_TEXT, (64, 48))
    assert np.array_equal(both[32:96, :48], colours)


def test_opacity_is_in_proportion_to_the_map() -> None:
    black = np.zeros((64, 64), dtype=np.float32)
    half, whole = (
        draw(black, np.full((2, 2), value, np.float32), NO_TEXT, black.shape, strength=0.6)
        for value in (0.5, 1.0)
    )
    white = np.ones((64, 64), dtype=np.float32)
    left = [
        draw(white, np.full((2, 2), value, np.float32), NO_TEXT, white.shape, strength=0.6)
        for value in (0.5, 1.0)
    ]
    # white minus black is what is left of the image's own light
    assert (left[0].astype(int) - half).mean() == pytest.approx(255 * 0.7, abs=2)
    assert (left[1].astype(int) - whole).mean() == pytest.approx(255 * 0.4, abs=2)


def test_a_faint_map_leaves_more_of_the_image() -> None:
    strong, faint = (draw(GREY, blob(), NO_TEXT, GREY.shape, s) for s in (0.6, FAINT))
    assert abs(faint.astype(int) - PLAIN).sum() < 0.6 * abs(strong.astype(int) - PLAIN).sum()


@pytest.mark.parametrize("size", [(64, 48), (640, 480), (32, 24)])
def test_the_peak_of_the_map_stays_in_its_place_at_any_size(size: tuple[int, int]) -> None:
    drawn = draw(np.zeros_like(GREY), blob(0.25, 0.6), NO_TEXT, size).astype(int)
    assert drawn.shape == (*size, 3)
    row, column = np.unravel_index(drawn.sum(axis=2).argmax(), size)
    assert row / size[0] == pytest.approx(0.6, abs=0.08)
    assert column / size[1] == pytest.approx(0.25, abs=0.08)


@pytest.mark.parametrize("size", [(512, 512), (600, 1100), (3000, 4000), (1100, 600)])
@pytest.mark.parametrize("saliency", [None, blob()])
def test_nothing_is_written_on_the_image(
    size: tuple[int, int], saliency: npt.NDArray[np.float32] | None
) -> None:
    grey = np.full(size, 0.5, dtype=np.float32)
    legend = Legend((headline("Lesion: 0.93", AMBER), Line("threshold"), Line("NOTICE")), bar=True)
    drawn = draw(grey, saliency, legend, size)
    assert drawn.shape[:2] == canvas(size)
    assert drawn.shape[0] / drawn.shape[1] == pytest.approx(size[0] / size[1], rel=0.005)
    assert np.array_equal(drawn[: size[0], : size[1]], draw(grey, saliency, NO_TEXT, size))
    band, margin = drawn[size[0] :], drawn[: size[0], size[1] :]
    letters = (band == AMBER).all(axis=2)
    assert letters.sum() > 0.0005 * min(size) ** 2
    assert np.ptp(letters.any(axis=1).nonzero()[0]) >= 0.02 * min(size)
    assert (np.ptp(margin.astype(int), axis=2) > 60).any(), "the colour bar"


@pytest.mark.parametrize("size", [(256, 4096), (4096, 256)])
def test_the_legend_of_a_strip_can_be_read(size: tuple[int, int]) -> None:
    notice = Line("AI RESEARCH - NOT FOR CLINICAL USE", AMBER)
    legend = Legend((headline("Lesion: present, 93.00 %"), Line("t"), Line("c"), notice), bar=True)
    drawn = draw(np.full(size, 0.5, dtype=np.float32), None, legend, size)
    letters = (drawn == AMBER).all(axis=2).any(axis=1).nonzero()[0]
    assert np.ptp(letters) >= 7


def test_the_colour_bar_shows_the_colours_of_the_map() -> None:
    drawn = draw(np.zeros((512, 512), np.float32), None, Legend((), bar=True), (512, 512))
    assert not drawn[:, :512].any(), "the image"
    column = drawn[:, -17].astype(int)
    coloured = np.ptp(column, axis=1) > 60
    assert 120 < coloured.sum() < 200
    lightness = column[coloured].sum(axis=1)
    assert lightness[0] > 2 * lightness[-1]


def test_a_line_too_long_for_the_picture_is_made_to_fit() -> None:
    legend = Legend((Line("x" * 150),), bar=False)
    drawn = draw(np.full((512, 300), 0.5, np.float32), None, legend, (512, 300))
    assert drawn[512:].any()
    assert not drawn[512:, -3].any()


def test_text_in_other_letters_is_written_as_far_as_the_font_goes() -> None:
    grey = np.zeros((512, 512), dtype=np.float32)
    accents, plain, foreign, marks = (
        draw(grey, None, Legend((Line(text),), bar=False), grey.shape)
        for text in ("Épanchement pleural", "Epanchement pleural", "胸水", "??")
    )
    np.testing.assert_array_equal(accents, plain)
    np.testing.assert_array_equal(foreign, marks)


def test_a_large_picture_takes_little_more_than_its_parts() -> None:
    """Four bytes a pixel are the heat, three the picture, one its levels."""
    grey = np.full((1024, 1024), 0.5, dtype=np.float32)
    saliency = np.eye(8, dtype=np.float32)
    tracemalloc.start()
    try:
        draw(grey, saliency, NO_TEXT, (2048, 2048))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 9 * 2048 * 2048
