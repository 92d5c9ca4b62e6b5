"""The colour map of heat maps: computed here, even to the eye, safe for the colour-blind.

A path through OKLab, dark violet over red to light yellow. Lightness rises all the way, so the
order of the colours survives any colour blindness and a grey print, and equal steps of the map
are equal steps to the eye.
"""

import functools

import numpy as np
import numpy.typing as npt

STEPS = 256

_LIGHTNESS = (0.38, 0.94)
_HUE_DEGREES = (292.0, 460.0)  # violet, through red at 390, to yellow at 100
_CHROMA = 0.24
_FINE = 2048
_HALVINGS = 20
_LINEAR_END = 0.0031308  # of the sRGB transfer function, IEC 61966-2-1

# OKLab to linear sRGB: B. Ottosson, "A perceptual color space for image processing", 2020.
_LAB_TO_LMS = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_LMS_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


@functools.cache
def heat_colours() -> npt.NDArray[np.uint8]:
    """Make the table: shape (256, 3), RGB; row 0 is the colour of 0, row 255 that of 1."""
    fine = np.linspace(0.0, 1.0, _FINE)
    lightness = _LIGHTNESS[0] + fine * (_LIGHTNESS[1] - _LIGHTNESS[0])
    hue = np.radians(_HUE_DEGREES[0] + fine * (_HUE_DEGREES[1] - _HUE_DEGREES[0]))
    chroma = _largest_chroma(lightness, hue)
    path = _lab(lightness, chroma, hue)
    walked = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    even = np.interp(np.linspace(0.0, walked[-1], STEPS), walked, fine)
    lab = np.stack([np.interp(even, fine, path[:, axis]) for axis in range(3)], axis=1)
    linear = np.clip(_linear_rgb(lab), 0.0, 1.0)
    encoded = np.where(linear <= _LINEAR_END, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    table: npt.NDArray[np.uint8] = np.rint(255 * encoded).astype(np.uint8)
    table.setflags(write=False)
    return table


def _largest_chroma(
    lightness: npt.NDArray[np.float64], hue: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    low = np.zeros_like(lightness)
    high = np.full_like(lightness, _CHROMA)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        rgb = _linear_rgb(_lab(lightness, middle, hue))
        inside = ((rgb >= 0) & (rgb <= 1)).all(axis=1)
        low = np.where(inside, middle, low)
        high = np.where(inside, high, middle)
    return low


def _lab(
    lightness: npt.NDArray[np.float64],
    chroma: npt.NDArray[np.float64],
    hue: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    return np.stack([lightness, chroma * np.cos(hue), chroma * np.sin(hue)], axis=1)


def _linear_rgb(lab: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    rgb: npt.NDArray[np.float64] = (lab @ _LAB_TO_LMS.T) ** 3 @ _LMS_TO_RGB.T
    return rgb
