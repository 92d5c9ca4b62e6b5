"""Modality and VOI LUTs, whose sign stands in other elements, beside the rules of PS3.3."""

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.errors import UnsupportedPixels
from tests.unit.dicom.conftest import Make
from tests.unit.dicom.ramps import (
    SIGNED,
    SIXTEEN,
    SYNTAXES,
    TWELVE,
    Floats,
    Values,
    linear,
    looked_up,
    ramp,
    table,
)

STEPS = np.arange(0, 65536, 32, dtype="u2")  # 2048 entries
WRITTEN = [(syntax, vr) for syntax in SYNTAXES for vr in ("US", "SS")]
written = pytest.mark.parametrize(("syntax", "vr"), WRITTEN)
BELOW_ZERO = {"RescaleSlope": 1, "RescaleIntercept": -2048}


def close(grey: object, expected: Floats) -> None:
    np.testing.assert_allclose(np.asarray(grey), expected, atol=1e-5)


@written
@pytest.mark.parametrize(
    ("stored", "rescale", "first"),
    [
        (SIGNED, {}, -256),
        (SIGNED, {}, 100),
        (TWELVE, BELOW_ZERO, -256),
        (TWELVE, {"RescaleSlope": -1, "RescaleIntercept": 100}, -3000),
        (TWELVE, {"Modality": "CT", **BELOW_ZERO, "RescaleType": "HU"}, -1024),
        (SIXTEEN, {}, 40000),
        (SIXTEEN, {"RescaleSlope": 1, "RescaleIntercept": 0}, 33000),
        (TWELVE, {}, 0),
        (SIGNED.astype("f4"), {}, -256),
    ],
)
def test_the_first_value_of_a_voi_lut(
    make: Make, syntax: str, vr: str, stored: Values, rescale: dict[str, Any], first: int
) -> None:
    """C.11.2.1.1: signed where pixels or the possible output of the rescale are."""
    voi = table(first, STEPS, 16, vr, syntax)
    path = ramp(make, stored, syntax, VOILUTSequence=voi, **rescale)
    values = stored.astype(np.float64) * rescale.get("RescaleSlope", 1)
    values += rescale.get("RescaleIntercept", 0)
    close(read_pixels(path), looked_up(values, first, STEPS) / 65535)


@written
@pytest.mark.parametrize("first", [-300, 65236])
def test_a_table_that_can_only_be_reached_with_the_other_sign(
    make: Make, syntax: str, vr: str, first: int
) -> None:
    """By the rule it is unsigned and begins at 65236, where the image has no value."""
    path = ramp(make, TWELVE, syntax, VOILUTSequence=table(first, STEPS, 16, vr, syntax))
    close(read_pixels(path), looked_up(TWELVE, -300, STEPS) / 65535)


@written
@pytest.mark.parametrize(("stored", "first"), [(SIGNED, -2048), (TWELVE, 0), (SIXTEEN, 40000)])
def test_a_modality_lut(make: Make, syntax: str, vr: str, stored: Values, first: int) -> None:
    """C.11.1.1: signed as the pixels are; what comes out is unsigned, and so is what goes on."""
    entries = np.arange(0, 65536, 16, dtype="u2")  # 4096
    modality = table(first, entries, 16, vr, syntax)
    modality[0].ModalityLUTType = "US"
    made = looked_up(stored, first, entries)
    path = ramp(
        make,
        stored,
        syntax,
        ModalityLUTSequence=modality,
        WindowCenter="40000",
        WindowWidth="9000",
    )
    close(read_pixels(path), linear(made, 40000, 9000))
    voi = table(40000, STEPS, 16, vr, syntax)
    path = ramp(make, stored, syntax, ModalityLUTSequence=modality, VOILUTSequence=voi)
    close(read_pixels(path), looked_up(made, 40000, STEPS) / 65535)
    path = ramp(make, stored, syntax, ModalityLUTSequence=modality)
    ordered = np.percentile(made, (1, 99))
    close(read_pixels(path), np.clip((made - ordered[0]) / np.ptp(ordered), 0, 1))


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(
    ("bits", "entries", "largest"),
    [
        (16, np.arange(4096, dtype="u2"), 4095),
        (16, np.arange(0, 3000, dtype="u2"), 2999),
        (16, np.arange(0, 256, dtype="u2"), 255),
        (16, np.arange(0, 256, dtype="u1"), 255),
        (16, np.arange(0, 40000, 10, dtype="u2"), 65535),
        (12, np.arange(4096, dtype="u2"), 4095),
        (12, np.arange(0, 1024, dtype="u2")[::-1].copy(), 1023),
        (10, np.arange(4096, dtype="u2"), 4095),
        (8, np.arange(256, dtype="u1"), 255),
        (8, np.arange(256, dtype="u2"), 255),
        (8, np.arange(200, dtype="u2"), 255),
    ],
)
def test_a_table_is_scaled_by_the_bits_that_it_uses(
    make: Make, syntax: str, bits: int, entries: Values, largest: int
) -> None:
    path = ramp(make, TWELVE, syntax, VOILUTSequence=table(0, entries, bits, syntax=syntax))
    close(read_pixels(path), looked_up(TWELVE, 0, entries) / largest)


def cut_off(made: list[Dataset], entries: int) -> list[Dataset]:
    made[0].LUTData = made[0].LUTData[: 2 * entries]
    return made


@pytest.mark.parametrize(
    "broken",
    [
        table(0, np.arange(9, dtype="u2"), 0),
        table(0, np.arange(9, dtype="u2"), 17),
        cut_off(table(0, np.arange(4096, dtype="u2"), 12), 3000),
        cut_off(table(0, np.arange(4096, dtype="u2"), 12), 2049),
        cut_off(table(0, np.arange(4096, dtype="u2"), 16), 1000),
        [Dataset()],
    ],
)
def test_only_a_table_that_is_needed_must_be_right(make: Make, broken: list[Dataset]) -> None:
    if not broken[0]:
        broken[0].LUTDescriptor = [4, 0, 16]
    with pytest.raises(UnsupportedPixels, match="contradicts"):
        read_pixels(ramp(make, TWELVE, VOILUTSequence=broken))
    path = ramp(make, TWELVE, VOILUTSequence=broken, WindowCenter="900", WindowWidth="300")
    close(read_pixels(path), linear(TWELVE, 900, 300))
