"""From stored values to grey between 0 and 1."""

import numpy as np
import pytest
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.errors import UnsupportedPixels
from tests.unit.dicom.luts import item, table, words

VALUES = np.arange(24, dtype=np.int16).reshape(4, 6)


def linear(x, centre, width):
    return np.clip((x - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
)
def test_rescale_and_window(make, syntax):
    path = make(syntax, RescaleSlope=2, RescaleIntercept=-10, WindowCenter=10, WindowWidth=21)
    grey = read_pixels(path)
    assert grey.dtype == np.float32
    np.testing.assert_allclose(grey, linear(VALUES * 2 - 10, 10, 21), atol=1e-6)


def test_big_endian(make):
    path = make(
        ExplicitVRBigEndian, PixelData=words(VALUES.astype(">i2")), WindowCenter=12, WindowWidth=24
    )
    np.testing.assert_allclose(read_pixels(path), linear(VALUES, 12, 24), atol=1e-6)


def test_first_of_several_windows(make):
    path = make(WindowCenter=[10, 99], WindowWidth=[20, 5])
    np.testing.assert_allclose(read_pixels(path), linear(VALUES, 10, 20), atol=1e-6)


@pytest.mark.parametrize(
    ("function", "width", "expected"),
    [
        ("LINEAR", 1, VALUES > 9.5),
        ("LINEAR_EXACT", 8, np.clip((VALUES - 10) / 8 + 0.5, 0, 1)),
        ("LINEAR_EXACT", 0.5, np.clip((VALUES - 10) / 0.5 + 0.5, 0, 1)),
        ("SIGMOID", 8, 1 / (1 + np.exp(-4 * (VALUES - 10) / 8))),
    ],
)
def test_window_curves(make, function, width, expected):
    path = make(WindowCenter=10, WindowWidth=width, VOILUTFunction=function)
    np.testing.assert_allclose(read_pixels(path), expected, atol=1e-6)


def test_monochrome1_is_inverted(make):
    values = {"WindowCenter": 10, "WindowWidth": 20}
    white = read_pixels(make(**values))
    black = read_pixels(make(PhotometricInterpretation="MONOCHROME1", **values))
    np.testing.assert_allclose(black, 1 - white, atol=1e-6)


def test_modality_table_then_voi_table(make):
    modality = table(2, [100, 200, 300], 16, ModalityLUTType="US")
    voi = table(100, np.arange(0, 201), 8)
    grey = read_pixels(make(ModalityLUTSequence=modality, VOILUTSequence=voi))
    assert grey[0, 0] == 0
    np.testing.assert_allclose(grey[0, 3], 100 / 255, atol=1e-6)
    np.testing.assert_allclose(grey[3, 5], 200 / 255, atol=1e-6)


def test_ct_without_a_window_is_shown_as_soft_tissue(make):
    path = make(RescaleSlope=10, RescaleIntercept=-100)
    np.testing.assert_allclose(read_pixels(path), linear(VALUES * 10 - 100, 40, 400), atol=1e-6)


def test_a_model_may_bring_the_window_of_a_modality(make):
    own = make(Modality="CT", RescaleSlope=1, RescaleIntercept=0, WindowCenter=3, WindowWidth=2)
    np.testing.assert_allclose(
        read_pixels(own, windows={"CT": (10.0, 21.0)}), linear(VALUES, 10, 21), atol=1e-6
    )
    assert np.array_equal(read_pixels(own, windows={"MR": (10.0, 21.0)}), read_pixels(own))
    inverted = make(Modality="CR", PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_allclose(
        read_pixels(inverted, windows={"CR": (10.0, 21.0)}), 1 - linear(VALUES, 10, 21), atol=1e-6
    )


def test_without_any_hint_the_values_are_stretched(make):
    values = np.full((4, 6), 50, dtype=np.int16)
    values[0] = (-2000, 10, 20, 30, 40, 60)
    path = make(PixelData=words(values), PixelPaddingValue=-2000)
    grey = read_pixels(path)
    np.testing.assert_allclose(grey[0], (0, 0, 0.2, 0.4, 0.6, 1), atol=1e-6)


def test_a_flat_image_is_black(make):
    assert not read_pixels(make(PixelData=bytes(48))).any()


def test_junk_above_the_high_bit_is_ignored(make):
    junk = (VALUES | 0x3000).astype("<u2")
    path = make(PixelData=words(junk), BitsStored=12, HighBit=11, WindowCenter=12, WindowWidth=24)
    np.testing.assert_allclose(read_pixels(path), linear(VALUES, 12, 24), atol=1e-6)


def test_values_in_the_upper_bits(make):
    path = make(
        PixelData=words((VALUES << 4).astype("<i2")),
        BitsStored=12,
        HighBit=15,
        WindowCenter=12,
        WindowWidth=24,
    )
    np.testing.assert_allclose(read_pixels(path), linear(VALUES, 12, 24), atol=1e-6)


def colour(make, values, photometric="RGB", **more):
    return make(
        PixelData=words(values),
        SamplesPerPixel=3,
        PhotometricInterpretation=photometric,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelRepresentation=0,
        PlanarConfiguration=0,
        **more,
    )


def test_colour_becomes_luma(make):
    rgb = np.zeros((4, 6, 3), dtype=np.uint8)
    rgb[0, 0], rgb[0, 1] = (255, 0, 0), (255, 255, 255)
    grey = read_pixels(colour(make, rgb))
    np.testing.assert_allclose(grey[0, :3], (0.299, 1, 0), atol=1e-6)
    rgb[0, 0] = (200, 128, 128)
    np.testing.assert_allclose(
        read_pixels(colour(make, rgb, "YBR_FULL"))[0, 0], 200 / 255, atol=0.01
    )


def test_palette(make):
    indices = (VALUES % 4).astype(np.uint8)
    more = {}
    for name, entries in (
        ("Red", (0, 255, 0, 255)),
        ("Green", (0, 0, 255, 255)),
        ("Blue", (0, 0, 0, 255)),
    ):
        more[f"{name}PaletteColorLookupTableDescriptor"] = [4, 0, 8]
        more[f"{name}PaletteColorLookupTableData"] = bytes(entries)
    path = make(
        PixelData=words(indices),
        PhotometricInterpretation="PALETTE COLOR",
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelRepresentation=0,
        **more,
    )
    np.testing.assert_allclose(read_pixels(path)[0, :4], (0, 0.299, 0.587, 1), atol=1e-6)


def movie(values, **more):
    return {
        "NumberOfFrames": len(values),
        "PixelData": words(np.asarray(values, dtype="<i2")),
        **more,
    }


def test_only_the_frame_asked_for(make):
    frames = np.stack([VALUES, VALUES * 2])
    path = make(**movie(frames, WindowCenter=20, WindowWidth=40))
    np.testing.assert_allclose(read_pixels(path, 2), linear(VALUES * 2, 20, 40), atol=1e-6)
    for frame in (0, 3):
        with pytest.raises(UnsupportedPixels, match=f"frame {frame}"):
            read_pixels(path, frame)


def test_each_frame_has_its_own_groups(make):
    groups = [
        item(
            PixelValueTransformationSequence=Sequence(
                [item(RescaleSlope=slope, RescaleIntercept=1, RescaleType="US")]
            )
        )
        for slope in (1, 3)
    ]
    shared = item(FrameVOILUTSequence=Sequence([item(WindowCenter=30, WindowWidth=60)]))
    path = make(
        **movie(np.stack([VALUES, VALUES])),
        PerFrameFunctionalGroupsSequence=Sequence(groups),
        SharedFunctionalGroupsSequence=Sequence([shared]),
    )
    np.testing.assert_allclose(read_pixels(path, 1), linear(VALUES + 1, 30, 60), atol=1e-6)
    np.testing.assert_allclose(read_pixels(path, 2), linear(VALUES * 3 + 1, 30, 60), atol=1e-6)


def test_float_pixels_may_hold_nan(make):
    values = VALUES.astype("<f4")
    values[0, 0] = np.nan
    path = make(
        PixelData=None,
        FloatPixelData=words(values),
        BitsAllocated=32,
        WindowCenter=12,
        WindowWidth=24,
    )
    grey = read_pixels(path)
    assert grey[0, 0] == 0
    np.testing.assert_allclose(grey[1:], linear(VALUES[1:], 12, 24), atol=1e-6)
