import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from pacs_ai.errors import UnsupportedPixels
from pacs_ai.model import preprocess as module
from pacs_ai.model.preprocess import (
    box_to_input,
    content_box,
    fit,
    preprocess,
    saliency_to_image,
    scale,
    seen_box,
)
from pacs_ai.model.spec import PREPROCESSES, InputSpec

SPEC = InputSpec(height=128, width=128, preprocess="letterbox-v1", modalities=("CT",), max_images=1)
IDS = sorted(PREPROCESSES)
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


@pytest.mark.parametrize(
    ("rows", "columns"),
    [(600, 500), (777, 333), (301, 999), (640, 501), (601, 512), (150, 90), (1024, 768)],
)
@pytest.mark.parametrize("name", IDS)
def test_a_large_image_is_resized_by_strips_with_the_same_bits(
    rows: int, columns: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = SPEC.model_copy(update={"preprocess": name})
    image = np.random.default_rng(rows).random((rows, columns), dtype=np.float32)
    at_once = preprocess(image, spec)
    for pixels in (2500, 60_000):
        monkeypatch.setattr(module, "STRIP", pixels)
        assert preprocess(image, spec).tobytes() == at_once.tobytes()
    image[rows // 2, columns // 2] = np.nan
    with pytest.raises(UnsupportedPixels, match="finite"):
        preprocess(image, spec)


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


def spec_of(preprocess_id: str) -> InputSpec:
    return SPEC.model_copy(update={"preprocess": preprocess_id, "height": 96})


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_every_id_gives_its_shape_and_two_halves_make_it(
    name: str, rows: int, columns: int
) -> None:
    spec = spec_of(name)
    pixels = np.random.default_rng(3).uniform(0, 1, (rows, columns)).astype(np.float32)
    x = preprocess(pixels, spec)
    assert x.shape == (1, 96, 128, 3 if "rgb" in name else 1)
    assert x.dtype == np.float32
    assert np.array_equal(x, scale(fit(pixels, spec)[None, ..., None], spec))


@pytest.mark.parametrize(
    ("scaling", "black", "white"),
    [
        ("", (-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)),
        ("-unit", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        ("-bytes", (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)),
        ("-imagenet", (-2.1179, -2.0357, -1.8044), (2.2489, 2.4286, 2.64)),
        ("-caffe", (-103.939, -116.779, -123.68), (151.061, 138.221, 131.32)),
    ],
)
def test_scalings_move_black_and_white(
    scaling: str, black: tuple[float, ...], white: tuple[float, ...]
) -> None:
    spec = spec_of(f"stretch{scaling}-rgb-v1")
    for value, expected in ((0.0, black), (1.0, white)):
        x = preprocess(np.full((8, 8), value, dtype=np.float32), spec)
        assert np.allclose(x, expected, atol=1e-3)
    one = preprocess(np.full((8, 8), 0.449, dtype=np.float32), spec_of(f"stretch{scaling}-v1"))
    assert scaling != "-imagenet" or np.allclose(one, 0.0, atol=1e-3)


@pytest.mark.parametrize(("rows", "columns"), [(300, 200), (64, 64), (512, 512), (90, 700)])
def test_the_oldest_id_never_changes_a_bit(rows: int, columns: int) -> None:
    pixels = np.random.default_rng(7).uniform(-0.1, 1.1, (rows, columns)).astype(np.float32)
    top, left, height, width = content_box(rows, columns, SPEC)
    how = cv2.INTER_AREA if height <= rows and width <= columns else cv2.INTER_LINEAR
    expected = np.full((1, 128, 128, 1), -1.0, dtype=np.float32)
    content = cv2.resize(pixels, (width, height), interpolation=how)
    expected[0, top : top + height, left : left + width, 0] = 2.0 * np.clip(content, 0, 1) - 1.0
    assert np.array_equal(preprocess(pixels, SPEC), expected)


def test_stretch_shows_all_and_centre_crop_the_middle() -> None:
    pixels = np.zeros((100, 300), dtype=np.float32)
    pixels[:, :20] = 1.0
    stretched = fit(pixels, spec_of("stretch-v1"))
    assert stretched[:, :8].min() == 1.0
    assert not fit(pixels, spec_of("centre-crop-v1")).any()
    assert seen_box(100, 300, spec_of("centre-crop-v1")) == (0, 83, 100, 133)
    assert seen_box(100, 300, spec_of("stretch-v1")) == (0, 0, 100, 300)


@pytest.mark.parametrize("resize", ["letterbox", "stretch", "centre-crop"])
def test_a_box_goes_where_its_pixels_go(resize: str) -> None:
    spec = spec_of(f"{resize}-v1")
    pixels = np.zeros((200, 260), dtype=np.float32)
    pixels[60:100, 110:150] = 1.0
    x0, y0, x1, y1 = box_to_input((110, 60, 150, 100), 200, 260, spec)
    marked = np.zeros((96, 128), dtype=bool)
    marked[y0:y1, x0:x1] = True
    bright = fit(pixels, spec) > 0.5
    assert (marked & bright).sum() / (marked | bright).sum() > 0.9


def test_a_box_outside_of_what_is_seen_is_empty() -> None:
    assert box_to_input((0, 0, 20, 20), 100, 300, spec_of("centre-crop-v1")) == (0, 0, 0, 0)


@pytest.mark.parametrize("resize", ["letterbox", "stretch", "centre-crop"])
def test_a_map_covers_the_image_and_is_zero_where_nothing_was_seen(resize: str) -> None:
    spec = spec_of(f"{resize}-v1")
    maps = saliency_to_image(np.ones((1, 12, 16), dtype=np.float32), 100, 300, spec)
    assert maps.shape[1:] == (43, 128)
    seen = maps[0].any(axis=0)
    assert seen.all() == (resize != "centre-crop")
    if resize == "centre-crop":
        assert np.flatnonzero(seen)[[0, -1]] == pytest.approx([36, 91], abs=2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"preprocess": "squeeze-v9"},
        {"modalities": ("ct",)},
        {"windows": {"ct": (40, 400)}},
        {"windows": {"CT": (40, 0)}},
    ],
)
def test_wrong_input_rules_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        InputSpec.model_validate({**SPEC.model_dump(), **wrong})
