"""Look-alikes are found exactly, however many images are alike."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from training.data.fingerprint import (
    COLUMNS,
    ROWS,
    Fingerprint,
    difference_hash,
    fingerprints,
    near_pairs,
)
from training.data.samples import Sample


def prints(count: int, families: int, noise: int, *, small: bool = False) -> list[Fingerprint]:
    """Draw thumbnails of a few families; members of one differ by noise."""
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 256, (families, ROWS // 4, COLUMNS // 4))
    found = []
    for index in range(count):
        picture = np.kron(coarse[index % families], np.ones((4, 4)))
        picture += rng.normal(0, noise, picture.shape)
        shown = np.clip(picture, 0, 255).astype(np.uint8)
        found.append(Fingerprint(str(index), difference_hash(shown), shown, 3, small))
    found[3] = Fingerprint("flat", 0, None, 1)
    return found


def edges(picture: np.ndarray, *, smoothed: bool) -> np.ndarray:
    values = picture.astype(np.float64)
    if smoothed:  # with the weights 1, 2, 1
        values = np.pad(values, 1, mode="edge")
        for axis in (0, 1):
            values = np.apply_along_axis(np.convolve, axis, values, [0.25, 0.5, 0.25], "valid")
    return np.concatenate([np.diff(values, axis=1).ravel(), np.diff(values, axis=0).ravel()])


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize(("families", "noise"), [(1, 18), (4, 10), (300, 10)])
def test_every_pair_is_found_and_no_other(families: int, noise: int, *, small: bool) -> None:
    # more images than a block has rows, alike (one family) or not (as many families as images)
    shown = prints(300, families, noise, small=small)
    wanted = set()
    rated = [
        None if each.thumbnail is None else edges(each.thumbnail, smoothed=small) for each in shown
    ]
    for i, first in enumerate(shown):
        for j in range(i + 1, len(shown)):
            second = shown[j]
            bits = (first.dhash ^ second.dhash).bit_count()
            if rated[i] is None or rated[j] is None or bits > 8:
                continue
            if np.corrcoef(rated[i], rated[j])[0, 1] >= 0.6:
                wanted.add((i, j))
    found = list(near_pairs(shown, 8, 0.6))
    assert len(found) == len(set(found))
    assert set(found) == wanted
    assert bool(wanted) == (families < 300)


def test_of_one_image_there_is_no_pair() -> None:
    assert not list(near_pairs(prints(4, 4, 0)[:1], 8, 0.9))


def draw_picture(seed: int) -> Image.Image:
    """Draw a head of 236 x 251 pixels: the same outline, other structures inside."""
    rng = np.random.default_rng(seed)
    picture = Image.new("L", (236, 251))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((20, 15, 215, 235), fill=210)
    pen.ellipse((28, 23, 207, 227), fill=90)
    for _ in range(25):
        x, y = rng.uniform(45, 165, 2)
        across, down = rng.uniform(8, 40, 2)
        pen.ellipse((x, y, x + across, y + down), fill=int(rng.integers(30, 230)))
    grain = rng.normal(0, 6, (251, 236))
    soft = np.asarray(picture.filter(ImageFilter.GaussianBlur(1.5)), dtype=np.float64)
    return Image.fromarray(np.clip(soft + grain, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("how", [Image.Resampling.BILINEAR, Image.Resampling.LANCZOS])
@pytest.mark.parametrize("height", [32, 48, 64, 100, 150, 224, 512])
def test_a_resized_copy_is_nearly_the_same(
    tmp_path: Path, height: int, how: Image.Resampling
) -> None:
    heads = 12
    samples = []
    for number in range(2 * heads):
        picture = draw_picture(number % heads)
        if number >= heads:
            picture = picture.resize((round(236 * height / 251), height), how)
        path = tmp_path / f"{number}.png"
        picture.save(path)
        samples.append(Sample(path=path, patient=str(number), labels=(0,)))
    shown = list(fingerprints(samples, {}, workers=1))
    assert set(near_pairs(shown, 8, 0.95)) == {(number, number + heads) for number in range(heads)}
