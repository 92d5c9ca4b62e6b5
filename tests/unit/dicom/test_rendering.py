"""Windows, functional groups, units and collapsed pictures, each beside the formulas of PS3.3."""

import numpy as np
import pytest
from pydicom.uid import ImplicitVRLittleEndian

from pacs_ai.dicom.pixels import read_image, read_pixels
from pacs_ai.dicom.rendering_reservation import RenderingReservation
from pacs_ai.errors import UnsupportedPixels
from tests.unit.dicom.conftest import Make
from tests.unit.dicom.ramps import (
    BYTES,
    SIGNED,
    SIXTEEN,
    SYNTAXES,
    TWELVE,
    Floats,
    Values,
    exact,
    item,
    linear,
    looked_up,
    ramp,
    sigmoid,
    stretched,
    table,
)

CURVES = {"LINEAR": linear, "LINEAR_EXACT": exact, "SIGMOID": sigmoid}
WIDTH_ONLY = {"LINEAR": ("0", "-5", "nan", "0.5", "abc", "1e99"), "LINEAR_EXACT": ("0", "-1")}
UNUSABLE = [
    *((function, width) for function, widths in WIDTH_ONLY.items() for width in widths),
    ("SIGMOID", "0"),
]


def close(grey: object, expected: Floats) -> None:
    np.testing.assert_allclose(np.asarray(grey), expected, atol=1e-5)


def window(centre: object, width: object, function: str | None = None) -> dict[str, object]:
    said = {"WindowCenter": centre, "WindowWidth": width}
    return said | ({"VOILUTFunction": function} if function else {})


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("stored", [TWELVE, SIGNED, SIXTEEN, BYTES, TWELVE.astype("f4")])
@pytest.mark.parametrize("slope", [1.0, 2.5, -0.5])
@pytest.mark.parametrize("function", list(CURVES))
def test_windows(
    make: Make, syntax: str, photometric: str, stored: Values, slope: float, function: str
) -> None:
    path = ramp(
        make,
        stored,
        syntax,
        PhotometricInterpretation=photometric,
        RescaleSlope=slope,
        RescaleIntercept=-100,
        **window(300, 400, f" {function} "),
    )
    expected = CURVES[function](stored.astype(np.float64) * slope - 100, 300, 400)
    close(read_pixels(path), 1 - expected if photometric == "MONOCHROME1" else expected)


def broken(make: Make, function: str, width: str, **more: object) -> object:
    """A window whose width is written as it is, legal or not."""
    path = ramp(make, TWELVE, **window("1000", "77777", function), **more)
    content = path.read_bytes()
    assert content.count(b"77777 ") == 1
    path.write_bytes(content.replace(b"77777 ", width.encode().ljust(6)))
    return path


@pytest.mark.parametrize(("function", "width"), UNUSABLE)
def test_a_window_that_is_none_is_replaced_and_named(make: Make, function: str, width: str) -> None:
    shown = read_image(broken(make, function, width))
    close(shown.grey, stretched(TWELVE))
    assert shown.reservations == (RenderingReservation.WINDOW,)


@pytest.mark.parametrize(("function", "width"), UNUSABLE)
def test_behind_an_unusable_window_the_table_counts(make: Make, function: str, width: str) -> None:
    entries = np.arange(0, 4096, dtype="u2")[::-1].copy()
    shown = read_image(broken(make, function, width, VOILUTSequence=table(0, entries, 12)))
    close(shown.grey, looked_up(TWELVE, 0, entries) / 4095)
    assert shown.reservations == (RenderingReservation.WINDOW,)


@pytest.mark.parametrize("centres", [["1", "900"], ["1", "900", "2"]])
@pytest.mark.parametrize("first", ["0", "-3", ""])
def test_the_next_window_counts_where_the_first_is_none(
    make: Make, centres: list[str], first: str
) -> None:
    widths = [first, "300", "4"][: len(centres)]
    shown = read_image(ramp(make, TWELVE, **window(centres, widths)))
    close(shown.grey, linear(TWELVE, 900, 300))
    assert shown.reservations == (RenderingReservation.WINDOW,)


def test_the_first_window_counts_where_a_later_one_is_none(make: Make) -> None:
    shown = read_image(ramp(make, TWELVE, **window(["900", "1"], ["300", "0"])))
    close(shown.grey, linear(TWELVE, 900, 300))
    assert shown.reservations == ()


@pytest.mark.parametrize("said", [{}, {"WindowCenter": "", "WindowWidth": ""}])
def test_no_window_is_nothing_to_be_named(make: Make, said: dict[str, object]) -> None:
    shown = read_image(ramp(make, TWELVE, **said))
    close(shown.grey, stretched(TWELVE))
    assert shown.reservations == ()


def test_half_a_window_is_none(make: Make) -> None:
    shown = read_image(ramp(make, TWELVE, WindowCenter="1000"))
    close(shown.grey, stretched(TWELVE))
    assert shown.reservations == (RenderingReservation.WINDOW,)


VOI = "FrameVOILUTSequence"
TRANSFORM = "PixelValueTransformationSequence"
EMPTY_WINDOW = {"WindowCenter": "", "WindowWidth": ""}


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("own", [{}, EMPTY_WINDOW, {"VOILUTFunction": "SIGMOID"}, None])
def test_an_empty_item_of_a_frame_hides_nothing(
    make: Make, syntax: str, own: dict[str, object] | None
) -> None:
    per_frame = [item(**({} if own is None else {VOI: [item(**own)]})) for _ in range(2)]
    shared = item(**{VOI: [item(**window("500", "300"))], TRANSFORM: [item(**rescale(2, -50))]})
    for frame in per_frame:
        setattr(frame, TRANSFORM, [item()])
    path = ramp(
        make,
        np.stack([TWELVE, TWELVE // 2]),
        syntax,
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=per_frame,
        **window("9", "9"),
    )
    close(read_pixels(path, 2), linear((TWELVE // 2) * 2.0 - 50, 500, 300))
    assert read_image(path, 2).reservations == ()


def rescale(slope: float, intercept: float, units: str | None = None) -> dict[str, object]:
    said: dict[str, object] = {"RescaleSlope": slope, "RescaleIntercept": intercept}
    return said | ({"RescaleType": units} if units else {})


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_each_frame_is_shown_by_its_own_groups(make: Make, syntax: str) -> None:
    entries = np.arange(0, 65536, 16, dtype="u2")
    own = [
        item(**{VOI: [item(**window("1000", "500"))], TRANSFORM: [item(**rescale(1, 0))]}),
        item(**{VOI: [item(**window("500", "0"))], TRANSFORM: [item(**rescale(2, -10))]}),
        item(**{VOI: [item(VOILUTSequence=table(0, entries, 16, syntax=syntax))]}),
    ]
    path = ramp(
        make,
        np.stack([TWELVE] * 3),
        syntax,
        PerFrameFunctionalGroupsSequence=own,
        **window("9", "9"),
    )
    close(read_pixels(path, 1), linear(TWELVE, 1000, 500))
    close(read_pixels(path, 2), linear(TWELVE * 2.0 - 10, 9, 9))
    assert read_image(path, 2).reservations == (RenderingReservation.WINDOW,)
    close(read_pixels(path, 3), looked_up(TWELVE, 0, entries) / 65535)


@pytest.mark.parametrize(
    ("stored", "header", "blank"),
    [
        (np.full_like(TWELVE, 7), {}, True),
        (np.full(TWELVE.shape, np.nan, "f4"), {}, True),
        (TWELVE, window("60000", "10"), True),
        (np.full_like(TWELVE, 7), {"PixelPaddingValue": 7}, True),
        (TWELVE, window("1000", "500"), False),
        (TWELVE, {}, False),
    ],
)
def test_a_picture_that_shows_nothing_is_told(
    make: Make, stored: Values, header: dict[str, object], blank: bool
) -> None:
    shown = read_image(ramp(make, stored, **header))
    assert shown.reservations == ((RenderingReservation.BLANK,) if blank else ())


MODEL = {"CT": (40.0, 400.0), "MR": (900.0, 300.0)}
NO_UNITS = (RenderingReservation.UNITS,)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, SYNTAXES[1]])
@pytest.mark.parametrize(
    ("said", "applies"),
    [
        (rescale(1, -1024), True),
        (rescale(1, -1024, "HU"), True),
        (rescale(1, 0, "HU"), True),
        (rescale(1, 0), False),
        (rescale(1, -1024, "US"), False),
        (rescale(1, -1024, "MGML"), False),
        ({}, False),
    ],
)
def test_the_window_of_a_ct_model_is_for_hounsfield_units(
    make: Make, syntax: str, said: dict[str, object], applies: bool
) -> None:
    path = ramp(make, TWELVE, syntax, Modality="CT", **window("1000", "2000"), **said)
    values = TWELVE * 1.0 + float(str(said.get("RescaleIntercept", 0)))
    shown = read_image(path, windows=MODEL)
    close(shown.grey, linear(values, *(MODEL["CT"] if applies else (1000, 2000))))
    assert shown.reservations == (() if applies else NO_UNITS)
    assert read_image(path).reservations == ()


def test_a_screenshot_of_a_ct_gets_no_window_of_units_that_it_lacks(make: Make) -> None:
    """Of the model nor of the node."""
    for said in ({}, rescale(1, 0)):
        path = ramp(make, BYTES, Modality="CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.7", **said)
        close(read_pixels(path), stretched(BYTES))
        shown = read_image(path, windows=MODEL)
        close(shown.grey, stretched(BYTES))
        assert shown.reservations == NO_UNITS


def test_the_window_of_a_model_for_another_modality_is_for_its_stored_or_rescaled_values(
    make: Make,
) -> None:
    path = ramp(make, TWELVE, **window("9", "9"))
    close(read_pixels(path, windows=MODEL), linear(TWELVE, 900, 300))


COLLAPSES = {
    "a table of one value": {"VOILUTSequence": table(0, np.full(4096, 7, "u2"), 8)},
    "a table that no value reaches": {
        "VOILUTSequence": table(20000, np.arange(900, dtype="u2"), 16)
    },
    "a rescale beyond the default window": {"Modality": "CT", **rescale(1, 20000, "HU")},
    "a rescale below air": {"Modality": "CT", **rescale(0.1, -30000, "HU")},
}


@pytest.mark.parametrize("kind", list(COLLAPSES))
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_picture_that_collapses_is_refused(make: Make, kind: str, photometric: str) -> None:
    path = ramp(make, TWELVE, PhotometricInterpretation=photometric, **COLLAPSES[kind])
    with pytest.raises(UnsupportedPixels, match="collapses"):
        read_pixels(path)


@pytest.mark.parametrize("kind", list(COLLAPSES))
def test_of_an_image_that_was_analysed_there_is_a_picture(make: Make, kind: str) -> None:
    """A model with a window of its own has seen it."""
    path = ramp(make, TWELVE, **COLLAPSES[kind])
    close(read_pixels(path, strict=False), stretched(TWELVE))


def test_padding_does_not_hide_that_a_picture_collapses(make: Make) -> None:
    stored = SIGNED.copy()
    stored[:8] = -32768
    first_white = table(-32768, np.array([0, 255], "u2"), 8)
    path = ramp(make, stored, PixelPaddingValue=-32768, VOILUTSequence=first_white)
    with pytest.raises(UnsupportedPixels, match="collapses"):
        read_pixels(path)


def test_a_window_may_ask_for_it(make: Make) -> None:
    assert not read_pixels(ramp(make, TWELVE, **window("30000", "100"))).any()
    assert not read_pixels(ramp(make, TWELVE), windows={"MR": (30000.0, 100.0)}).any()


def test_an_image_of_one_value_is_no_collapse(make: Make) -> None:
    assert not read_pixels(ramp(make, np.full((8, 8), 77, "u2"))).any()


def test_a_slice_of_air_is_black(make: Make) -> None:
    air = (np.arange(1024, dtype="u2") % 100).reshape(32, 32)
    assert not read_pixels(ramp(make, air, Modality="CT", **rescale(1, -1024))).any()
