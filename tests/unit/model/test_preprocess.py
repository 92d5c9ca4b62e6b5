import numpy as np
import pytest

from pacs_ai.errors import UnsupportedPixels
from pacs_ai.model.preprocess import content_box, preprocess, saliency_to_image
from pacs_ai.model.spec import InputSpec

SPEC = InputSpec(height=128, width=128, preprocess="letterbox-v1", modalities=("CT",), max_images=1)
SIZES = [(128, 128), (64, 64), (512, 512), (300, 200), (200, 300), (1, 1), (1, 4000), (4000, 1)]


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_any_image_becomes_one_input(rows: int, columns: int) -> None:
    x = preprocess(np.full((rows, columns), 0.75, dtype=np.float32), SPEC)
    assert x.shape == (1, 128, 128, 1)
    assert x.dtype == np.float32
    top, left, height, width = content_box(rows, columns, SPEC)
    content = x[0, top : top + height, left : left + width, 0]
    assert np.allclose(content, 0.5)
    assert int((x == -1.0).sum()) == 128 * 128 - height * width


def test_the_aspect_is_kept_and_the_image_centred() -> None:
    assert content_box(300, 200, SPEC) == (0, 21, 128, 85)
    assert content_box(200, 400, SPEC) == (32, 0, 64, 128)
    assert content_box(64, 64, SPEC) == (0, 0, 128, 128)


def test_shrinking_averages_and_skips_no_pixel() -> None:
    checkers = (np.indices((512, 512)).sum(axis=0) % 2).astype(np.float32)
    assert np.allclose(preprocess(checkers, SPEC), 0.0, atol=1e-6)


def test_the_input_is_left_as_it_was() -> None:
    pixels = np.linspace(0, 1, 128 * 128, dtype=np.float32).reshape(128, 128)
    before = pixels.copy()
    x = preprocess(pixels, SPEC)
    assert np.array_equal(pixels, before)
    assert np.allclose(x[0, :, :, 0], 2 * pixels - 1, atol=1e-6)


@pytest.mark.parametrize("shape", [(0, 5), (5,), (5, 5, 3)])
def test_what_is_no_grey_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UnsupportedPixels):
        preprocess(np.zeros(shape, dtype=np.float32), SPEC)


def test_values_that_are_not_finite_are_refused() -> None:
    pixels = np.zeros((8, 8), dtype=np.float32)
    pixels[3, 3] = np.nan
    with pytest.raises(UnsupportedPixels, match="finite"):
        preprocess(pixels, SPEC)


@pytest.mark.parametrize(("rows", "columns"), [(256, 256), (300, 200), (120, 480)])
@pytest.mark.parametrize("place", [(0.2, 0.3), (0.75, 0.6), (0.5, 0.9)])
def test_a_map_comes_back_to_the_place_it_came_from(
    rows: int, columns: int, place: tuple[float, float]
) -> None:
    # A bright spot goes through the letterbox, is seen on the 16 x 16 grid, and must come back.
    y, x = int(place[0] * rows), int(place[1] * columns)
    pixels = np.zeros((rows, columns), dtype=np.float32)
    pixels[max(0, y - 4) : y + 4, max(0, x - 4) : x + 4] = 1.0
    seen = (preprocess(pixels, SPEC)[0, :, :, 0] + 1) / 2
    grid = seen.reshape(16, 8, 16, 8).mean(axis=(1, 3))[None].astype(np.float32)
    back = saliency_to_image(grid, rows, columns, SPEC)[0]
    at = np.unravel_index(int(np.argmax(back)), back.shape)
    cell = 8 * max(rows, columns) / 128
    assert abs((at[0] + 0.5) / back.shape[0] * rows - y) <= cell
    assert abs((at[1] + 0.5) / back.shape[1] * columns - x) <= cell
    assert abs(back.shape[0] / back.shape[1] - rows / columns) < 0.02 * rows / columns


def test_a_peak_in_the_padding_does_not_dim_the_image() -> None:
    grid = np.zeros((2, 16, 16), dtype=np.float32)
    grid[0, 0, 0], grid[0, 8, 8] = 1.0, 0.5
    maps = saliency_to_image(grid, 100, 400, SPEC)
    assert maps.shape == (2, 32, 128)
    assert maps[0].max() == pytest.approx(1.0)
    assert not maps[1].any()
