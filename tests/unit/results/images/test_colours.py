import numpy as np
import numpy.typing as npt

from pacs_ai.results.images.colours import heat_colours

# Machado, Oliveira, Fernandes 2009: complete protanopia, deuteranopia, tritanopia; linear RGB.
BLINDNESS = (
    [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]],
    [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]],
    [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]],
)


def linear(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    part = rgb / 255.0
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def cielab(rgb: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """CIELAB of linear sRGB: another measure of what the eye sees than the table was made with."""
    xyz = (
        rgb
        @ np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
        / np.array([0.9505, 1.0, 1.089])
    )
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack(
        [116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1
    )


def test_lightness_rises_all_the_way() -> None:
    lightness = cielab(linear(heat_colours()))[:, 0]
    assert (np.diff(lightness[::4]) > 0).all()
    assert lightness[0] < 35
    assert lightness[-1] > 85


def test_equal_steps_look_about_equal() -> None:
    steps = np.linalg.norm(np.diff(cielab(linear(heat_colours()))[::16], axis=0), axis=1)
    assert steps.max() / steps.min() < 3


def test_the_colour_blind_tell_the_colours_apart_and_in_order() -> None:
    table = linear(heat_colours())
    for matrix in BLINDNESS:
        seen = cielab(np.clip(table @ np.array(matrix).T, 0, 1))[::32]
        assert (np.diff(seen[:, 0]) > 0).all()
        assert np.linalg.norm(np.diff(seen, axis=0), axis=1).min() > 4


def test_every_colour_stands_out_from_grey() -> None:
    table = heat_colours().astype(int)
    assert (table.max(axis=1) - table.min(axis=1)).min() > 60
