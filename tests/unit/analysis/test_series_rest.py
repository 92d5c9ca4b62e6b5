"""The images that lie beside the analysed ones in their series."""

from pathlib import Path

import numpy as np

from pacs_ai.analysis.series_rest import rest_of_series
from pacs_ai.dicom.header import read_header
from pacs_ai.domain import ImagePrediction
from tests.unit.results.samples import ct_slice, radiograph, save


def test_images_of_the_series_that_were_not_analysed_are_its_rest(tmp_path: Path) -> None:
    sources = [
        *(ct_slice(number) for number in (1, 2, 3)),
        ct_slice(4, SeriesInstanceUID="1.2.3.5"),
        ct_slice(5, PixelData=None),
    ]
    headers = [read_header(save(one, tmp_path / f"{n}.dcm")) for n, one in enumerate(sources)]
    seen = ImagePrediction(headers[1], 1, (0.1, 0.9), np.zeros((2, 2, 2), np.float32))
    assert rest_of_series(headers, [seen]) == (headers[0], headers[2])


def test_radiographs_have_no_rest(tmp_path: Path) -> None:
    headers = [read_header(save(radiograph(n), tmp_path / f"{n}.dcm")) for n in (1, 2)]
    seen = ImagePrediction(headers[0], 1, (0.1, 0.9), np.zeros((2, 2, 2), np.float32))
    assert rest_of_series(headers, [seen]) == ()
