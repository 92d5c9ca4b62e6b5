"""Lossy codecs within their tolerance, and what codestream and header leave open: refused."""

import imagecodecs
import numpy as np
import pytest

from pacs_ai.errors import UnsupportedPixels
from tests.unit.dicom import encoders
from tests.unit.dicom.conftest import Make
from tests.unit.dicom.encoders import JPEG, Encode, Samples, image, stored

SHAPE = (40, 48)
NEAR = 3


def transcoded(samples: Samples, bits: int) -> bytes:
    return imagecodecs.jpegxl_encode_jpeg(encoders.pillow()(samples, bits))


def slope(bits: int, *, signed: bool = False) -> Samples:
    """A smooth slope over the whole range but its ends, and a saturated corner."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    values = np.rint((0.1 + 0.8 * (x + y) / (sum(SHAPE) - 2)) * ((1 << bits) - 1)).astype(int)
    return values - (1 << (bits - 1)) if signed else values


LOSSY: dict[str, tuple[str, Encode, tuple[int, ...], bool]] = {
    "baseline": (f"{JPEG}50", encoders.pillow(), (8,), False),
    "extended of 8 bits": (f"{JPEG}51", encoders.pillow(), (8,), False),
    "extended": (f"{JPEG}51", encoders.extended, (12,), False),
    "progressive": (f"{JPEG}55", encoders.pillow(progressive=True), (8,), False),
    "near-lossless": (f"{JPEG}81", encoders.jpeg_ls(NEAR), (8, 12, 16), True),
    "JPEG 2000": (f"{JPEG}91", encoders.jpeg_2000(signal_noise_ratios=[70]), (8, 12, 16), True),
    "HTJ2K": (f"{JPEG}203", encoders.htj2k(reversible=False, level=0.0005), (8, 16), True),
    "JPEG in JPEG XL": (f"{JPEG}111", transcoded, (8,), False),
    "JPEG XL": (f"{JPEG}112", encoders.jpeg_xl(distance=0.1), (8, 12, 16), False),
}


def container(values: Samples, bits: int) -> Samples:
    return (values & ((1 << bits) - 1)).astype("u1" if bits <= 8 else "u2")


def write(make: Make, syntax: str, frame: bytes, bits: int, stored_bits: int, **more: object):
    kind = np.zeros(SHAPE, dtype="u1" if bits <= 8 else "u2")
    return image(make, syntax, [frame], kind, **{"BitsStored": stored_bits} | more)


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_values_are_near_what_was_encoded(make: Make, name: str) -> None:
    syntax, encode, depths, _ = LOSSY[name]
    for bits in depths:
        wanted = slope(bits)
        path = write(make, syntax, encode(container(wanted, bits), bits), bits, bits)
        off = np.abs(stored(path).values.astype(int) - wanted)
        assert off.max() <= (NEAR if name == "near-lossless" else (1 << bits) / 40)


@pytest.mark.parametrize("name", LOSSY)
def test_a_sign_survives_loss_or_is_refused(make: Make, name: str) -> None:
    syntax, encode, depths, survives = LOSSY[name]
    for bits in depths:
        wanted = slope(bits, signed=True) // 2 - (1 << (bits - 4))
        frame = encode(container(wanted, bits), bits)
        path = write(make, syntax, frame, bits, bits, PixelRepresentation=1)
        if survives:
            off = np.abs(stored(path).values.astype(int) - wanted).max()
            assert off <= (NEAR if name == "near-lossless" else (1 << bits) / 10)
        else:
            with pytest.raises(UnsupportedPixels, match="sign"):
                stored(path)


@pytest.mark.parametrize("signed", [False, True])
def test_values_that_loss_carries_over_the_end_stay_there(make: Make, signed: bool) -> None:
    """A codestream of 16 bits, 12 of them stored: white may not become black."""
    wanted = np.clip(slope(12, signed=signed) * 3, *((-2048, 2047) if signed else (0, 4095)))
    encode = encoders.jpeg_2000(signal_noise_ratios=[70])
    frame = encode(wanted.astype("i2" if signed else "u2"), 16)
    path = write(make, f"{JPEG}91", frame, 16, 12, PixelRepresentation=int(signed))
    assert np.abs(stored(path).values.astype(int) - wanted).max() < 200


def test_lossy_high_throughput_stays_within_the_range(make: Make) -> None:
    """OpenJPH turns white into black there, so OpenJPEG decodes it."""
    noise = np.random.default_rng(0).integers(0, 2, SHAPE).astype("u2") * 65535
    frame = encoders.htj2k(reversible=False, level=0.001)(noise, 16)
    found = stored(write(make, f"{JPEG}203", frame, 16, 16)).values
    assert np.abs(found.astype(int) - noise).max() < 1000


@pytest.mark.parametrize("name", ["near-lossless", "JPEG 2000", "JPEG XL"])
def test_overlays_do_not_survive_loss(make: Make, name: str) -> None:
    syntax, encode, _, _ = LOSSY[name]
    overlay = np.random.default_rng(3).integers(0, 16, SHAPE) << 12
    frame = encode(container(slope(12) | overlay, 16), 16)
    with pytest.raises(UnsupportedPixels, match="above the stored ones"):
        stored(write(make, syntax, frame, 16, 12))


def test_a_sign_that_loss_may_have_turned(make: Make) -> None:
    wanted = np.random.default_rng(4).integers(2040, 2056, SHAPE)
    frame = encoders.jpeg_ls(NEAR)(container(wanted, 12), 12)
    with pytest.raises(UnsupportedPixels, match="sign"):
        stored(write(make, f"{JPEG}81", frame, 16, 12, PixelRepresentation=1))


def test_a_palette_does_not_survive_loss(make: Make) -> None:
    frame = encoders.pillow()(container(slope(8), 8), 8)
    colours = {"PhotometricInterpretation": "PALETTE COLOR"}
    with pytest.raises(UnsupportedPixels, match="palette"):
        stored(write(make, f"{JPEG}50", frame, 8, 8, **colours))


NARROW: dict[str, tuple[str, Encode, bool]] = {
    "JPEG lossless": (f"{JPEG}70", encoders.lossless_jpeg(1), True),
    "JPEG-LS": (f"{JPEG}80", encoders.jpeg_ls(), True),
    "JPEG 2000": (f"{JPEG}90", encoders.jpeg_2000(), False),
    "JPEG XL": (f"{JPEG}110", encoders.jpeg_xl(lossless=True), True),
}


@pytest.mark.parametrize("name", NARROW)
def test_a_codestream_of_fewer_bits_than_the_header(make: Make, name: str) -> None:
    """BitsStored 16 over 12 bits: the values are whole; a sign only where there is no doubt."""
    syntax, encode, positive = NARROW[name]
    wanted = slope(12)
    frame = encode(container(wanted, 12), 12)
    np.testing.assert_array_equal(stored(write(make, syntax, frame, 16, 16)).values, wanted)
    path = write(make, syntax, frame, 16, 16, PixelRepresentation=1)
    if positive:
        np.testing.assert_array_equal(stored(path).values, wanted)
    else:
        with pytest.raises(UnsupportedPixels, match="no sign and fewer bits"):
            stored(path)
    with pytest.raises(UnsupportedPixels, match="14 below bit 15"):
        stored(write(make, syntax, frame, 16, 14, HighBit=15))


def test_negative_values_under_a_header_without_sign(make: Make) -> None:
    frame = encoders.jpeg_2000()(slope(12, signed=True).astype("i2"), 12)
    with pytest.raises(UnsupportedPixels, match="negative"):
        stored(write(make, f"{JPEG}90", frame, 16, 16))


def test_eight_bits_cannot_hold_twelve(make: Make) -> None:
    frame = encoders.pillow()(container(slope(8), 8), 8)
    with pytest.raises(UnsupportedPixels, match="header says more"):
        stored(write(make, f"{JPEG}50", frame, 16, 12))


def test_a_codestream_of_another_transfer_syntax(make: Make) -> None:
    frame = encoders.jpeg_2000()(container(slope(8), 8), 8)
    with pytest.raises(UnsupportedPixels, match="another transfer syntax"):
        stored(write(make, f"{JPEG}70", frame, 8, 8))
