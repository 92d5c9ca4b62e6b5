"""Sources in colours keep them under the heat map, however their colours are written."""

import re

import cv2
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.pixels import apply_color_lut, pixel_array

from pacs_ai.analysis.kept_frames import KeptFrames
from pacs_ai.domain import ImagePrediction, ResultKind
from pacs_ai.results.content.hotspot import enlarge
from tests.samples import sample
from tests.unit.results.samples import checked, image, model, study

WHERE = re.compile(r"image in the upper left (\d+) rows and (\d+) columns")
SOURCES = {
    "ultrasound, YBR_FULL_422 in JPEG": ("examples_ybr_color.dcm", 2),
    "YBR_FULL in JPEG": ("SC_rgb_dcmtk_+eb+cy+s4.dcm", 1),
    "YBR_FULL_422, not compressed": ("SC_ybr_full_422_uncompressed.dcm", 1),
    "YBR_RCT in JPEG 2000": ("examples_jpeg2k.dcm", 1),
    "PALETTE COLOR": ("examples_palette.dcm", 1),
    "RGB": ("examples_rgb_color.dcm", 1),
    "RGB of 16 bits": ("SC_rgb_rle_16bit.dcm", 1),
}


def by_pydicom(name: str, frame: int) -> npt.NDArray[np.uint8]:
    """Decode and convert a frame with pydicom alone."""
    dataset = pydicom.dcmread(sample(name))
    stored = pixel_array(dataset, index=frame - 1)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        stored = apply_color_lut(stored, dataset)
    return np.rint(stored * (255 / np.iinfo(stored.dtype).max)).astype(np.uint8)


def hot_at_the_right(name: str, frame: int) -> ImagePrediction:
    heat = np.zeros((8, 8), dtype=np.float32)
    heat[3:5, 6] = 1
    return image(sample(name), (0.1, 0.9), heat, frame)


@pytest.mark.parametrize(("name", "frame"), SOURCES.values(), ids=SOURCES)
def test_the_picture_has_the_colours_of_its_source(name: str, frame: int) -> None:
    seen = hot_at_the_right(name, frame)
    for kind in (ResultKind.CAPTURE, ResultKind.STACK):
        [made] = checked(study([seen]), kind, KeptFrames(model()).shown)
        found = WHERE.search(made.DerivationDescription)
        assert found, "small images are enlarged"
        rows, columns = map(int, found.groups())
        expected = cv2.resize(by_pydicom(name, frame), (columns, rows)).astype(int)
        shown = made.pixel_array[:rows, :columns].astype(int)
        cold = enlarge(seen.saliency[1], rows, columns) == 0
        assert np.abs(shown - expected)[cold].max() <= 1
        assert np.ptp(shown[cold], axis=1).max() > 60, "in colours"
        assert (shown != expected).any(), "and the heat map lies over it"
