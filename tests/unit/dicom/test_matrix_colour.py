"""Colour in every codec: PlanarConfiguration and the name of the colours may not change it."""

from dataclasses import replace

import numpy as np
import pytest

from pacs_ai.dicom.canonical import Decoded, canonical
from pacs_ai.dicom.pixel_layout import PixelLayout
from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.errors import UnsupportedPixels
from tests.unit.dicom import encoders
from tests.unit.dicom.conftest import Make
from tests.unit.dicom.encoders import JPEG, Encode, Samples, image, stored

SHAPE = (40, 48)
LUMA = np.array([0.299, 0.587, 0.114])
ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"
NATIVE = {
    "implicit": (encoders.IMPLICIT, encoders.little),
    "explicit": (encoders.EXPLICIT, encoders.little),
    "big endian": (encoders.BIG, encoders.big),
    "deflated": (encoders.DEFLATED, encoders.little),
    "deflated frame": (encoders.DEFLATED_FRAME, encoders.deflate),
}
LOSSLESS = {
    "RLE": (encoders.RLE, encoders.rle),
    "JPEG lossless": (f"{JPEG}70", encoders.lossless_jpeg(1)),
    "JPEG-LS by plane": (f"{JPEG}80", encoders.jpeg_ls(interleave=0)),
    "JPEG-LS by line": (f"{JPEG}80", encoders.jpeg_ls(interleave=1)),
    "JPEG-LS by pixel": (f"{JPEG}81", encoders.jpeg_ls(interleave=2)),
    "JPEG 2000": (f"{JPEG}90", encoders.jpeg_2000()),
    "JPEG 2000 transformed": (f"{JPEG}91", encoders.jpeg_2000(mct=True)),
    "HTJ2K": (f"{JPEG}201", encoders.htj2k()),
    "JPEG XL": (f"{JPEG}110", encoders.jpeg_xl(lossless=True)),
}
TRANSFORMED = {"JPEG 2000 transformed", "HTJ2K"}
SAYS_RGB = {"JPEG lossless"}


def picture(bits: int = 8) -> Samples:
    """Three different slopes, so that no plane can stand for another."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    planes = np.stack([x / SHAPE[1], y / SHAPE[0], (x + y) / sum(SHAPE)], axis=-1)
    noise = np.random.default_rng(2).uniform(0, 0.05, planes.shape)
    return ((planes * 0.9 + noise) * ((1 << bits) - 1)).astype(f"u{bits // 8}")


def to_ybr(rgb: Samples, bits: int = 8) -> Samples:
    red, _, blue = np.moveaxis(rgb.astype(float), -1, 0)
    luma = rgb @ LUMA
    middle = 1 << (bits - 1)
    ybr = np.stack([luma, (blue - luma) / 1.772 + middle, (red - luma) / 1.402 + middle], axis=-1)
    return np.clip(np.rint(ybr), 0, (1 << bits) - 1).astype(rgb.dtype)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("name", NATIVE)
def test_native_planes_lie_as_the_header_says(
    make: Make, name: str, planar: int, bits: int
) -> None:
    syntax, encode = NATIVE[name]
    rgb = picture(bits)
    for photometric, samples in (("RGB", rgb), ("YBR_FULL", to_ybr(rgb, bits))):
        laid = samples.transpose(2, 0, 1).copy() if planar else samples
        path = image(
            make,
            syntax,
            [encode(laid, bits)],
            samples,
            PlanarConfiguration=planar,
            PhotometricInterpretation=photometric,
        )
        found = stored(path)
        assert found.photometric == "RGB"
        off = np.abs(found.values.astype(int) - rgb)
        assert off.max() <= (0 if photometric == "RGB" else 2)
        assert np.abs(read_pixels(path) - rgb @ LUMA / ((1 << bits) - 1)).max() < 0.01


def test_half_the_chroma(make: Make) -> None:
    rgb = np.repeat(picture()[:, ::2], 2, axis=1)
    ybr = to_ybr(rgb)
    pairs = np.concatenate([ybr[:, ::2, :1], ybr[:, 1::2, :1], ybr[:, ::2, 1:]], axis=-1)
    colours = {"PhotometricInterpretation": "YBR_FULL_422"}
    path = image(make, encoders.EXPLICIT, [pairs.tobytes()], rgb, **colours)
    assert np.abs(stored(path).values.astype(int) - rgb).max() <= 2


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("name", LOSSLESS)
@pytest.mark.parametrize("bits", [8, 16])
def test_the_codestream_says_where_its_planes_are(
    make: Make, name: str, planar: int, bits: int
) -> None:
    syntax, encode = LOSSLESS[name]
    rgb = picture(bits)
    path = image(make, syntax, [encode(rgb, bits)], rgb, PlanarConfiguration=planar)
    np.testing.assert_array_equal(stored(path).values, rgb)


@pytest.mark.parametrize("name", LOSSLESS)
def test_other_names_of_the_colours(make: Make, name: str) -> None:
    """The header says what untransformed components are; where the codestream does, they agree."""
    syntax, encode = LOSSLESS[name]
    rgb = picture()
    ybr = to_ybr(rgb)
    path = image(make, syntax, [encode(ybr, 8)], ybr, PhotometricInterpretation="YBR_FULL")
    if name in TRANSFORMED | SAYS_RGB:
        with pytest.raises(UnsupportedPixels, match="the codestream holds RGB"):
            stored(path)
    elif name != "JPEG XL":
        assert np.abs(stored(path).values.astype(int) - rgb).max() <= 2
    path = image(make, syntax, [encode(rgb, 8)], rgb, PhotometricInterpretation="YBR_RCT")
    if name in TRANSFORMED | SAYS_RGB | {"JPEG 2000", "JPEG XL"}:
        np.testing.assert_array_equal(stored(path).values, rgb)
    else:
        with pytest.raises(UnsupportedPixels, match="YBR_RCT"):
            stored(path)


def without_jfif(frame: bytes) -> bytes:
    start = frame.find(b"\xff\xe0")
    return frame[:start] + frame[start + 18 :]


def with_adobe(frame: bytes) -> bytes:
    bare = without_jfif(frame)
    return bare[:2] + ADOBE + b"\x01" + bare[2:]


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL", "YBR_FULL_422"])
@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize(
    "encode",
    [encoders.pillow(subsampling=0), encoders.pillow(subsampling=1, progressive=True)],
    ids=["sequential", "progressive"],
)
def test_a_jpeg_says_itself_that_it_is_ybr(
    make: Make, encode: Encode, planar: int, photometric: str
) -> None:
    rgb = picture()
    frame = encode(np.repeat(rgb[:, ::2], 2, axis=1), 8)
    rgb = np.repeat(rgb[:, ::2], 2, axis=1)
    for change in (lambda same: same, with_adobe, without_jfif):
        path = image(
            make,
            f"{JPEG}50",
            [change(frame)],
            rgb,
            PlanarConfiguration=planar,
            PhotometricInterpretation=photometric,
        )
        found = stored(path).values.astype(int)
        if change is without_jfif and photometric == "RGB":
            assert np.abs(found - to_ybr(rgb)).mean() < 5  # nothing but the header tells
        else:
            assert np.abs(found - rgb).mean() < 5


def test_components_that_are_rgb_and_say_so(make: Make) -> None:
    rgb = picture()
    frame = encoders.pillow(subsampling=0, keep_rgb=True)(rgb, 8)
    for photometric in ("RGB", "YBR_FULL_422"):
        path = image(make, f"{JPEG}50", [frame], rgb, PhotometricInterpretation=photometric)
        assert np.abs(stored(path).values.astype(int) - rgb).mean() < 5


def test_a_sign_has_no_meaning_in_colour(make: Make) -> None:
    rgb = picture()
    path = image(make, encoders.EXPLICIT, [rgb.tobytes()], rgb, PixelRepresentation=1)
    with pytest.raises(UnsupportedPixels, match="colour with a sign"):
        stored(path)


def test_a_large_picture_is_converted_like_its_rows() -> None:
    """It is converted a few rows at a time."""
    wide = np.tile(to_ybr(picture()), (8, 45, 1))[:301]
    layout = PixelLayout("PixelData", *wide.shape[:2], 3, "YBR_FULL", 0, 1, 8, 8, 7, signed=False)
    assert layout.plane_pixels > 2 * 1 << 18
    whole = canonical(Decoded(wide, 8), layout).values
    rows = [
        canonical(Decoded(wide[row : row + 1], 8), replace(layout, rows=1)).values
        for row in range(layout.rows)
    ]
    np.testing.assert_array_equal(whole, np.concatenate(rows))
