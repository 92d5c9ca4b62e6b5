"""Pixels that are not square, in OHIF: what is round in the patient is round in the capture."""

from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import generate_uid

from tests.integration.orthanc_server import OrthancServer
from tests.unit.results.samples import ct_slice, image, radiograph, save, study
from tests.viewer import studies
from tests.viewer.browser import Browser, Shot

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ROWS, COLUMNS, ASPECT = 200, 300, 2.0
SAID = {
    "spacing": (ct_slice, {"PixelSpacing": [0.8, 0.4]}),
    "detector": (radiograph, {"ImagerPixelSpacing": [0.4, 0.2]}),
    "ratio": (radiograph, {"PixelAspectRatio": [2, 1]}),
}


def write_study(folder: Path, name: str) -> studies.Stored:
    y, x = np.mgrid[:ROWS, :COLUMNS]
    round_ = np.hypot((y - 0.5 * ROWS) * ASPECT, x - 0.5 * COLUMNS) < 60
    make, said = SAID[name]
    source = make(
        Rows=ROWS,
        Columns=COLUMNS,
        PixelData=np.where(round_, 1000, 200).astype("<u2").tobytes(),
        WindowCenter=500,
        WindowWidth=1000,
        StudyInstanceUID=generate_uid(),
        SeriesInstanceUID=generate_uid(),
        SOPInstanceUID=generate_uid(),
        **said,
    )
    folder.mkdir()
    path = save(source, folder / "source.dcm")
    flat = np.zeros((7, 7), dtype=np.float32)
    return studies.with_results(study([image(path, (0.9, 0.1), flat)]), [path], folder / "results")


@pytest.fixture(scope="module")
def shots(
    orthanc: OrthancServer, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[Shot]]:
    folder = tmp_path_factory.mktemp("aspect")
    made = {name: write_study(folder / name, name) for name in SAID}
    for one in made.values():
        for file in one.files:
            orthanc.upload(file)
    wanted = (None, "AI heat map (")
    return browser.look({f"aspect-{name}": (one.uid, wanted) for name, one in made.items()})


@pytest.mark.parametrize("name", list(SAID))
def test_a_disc_is_round(shots: dict[str, list[Shot]], name: str) -> None:
    [capture] = [shot for shot in shots[f"aspect-{name}"] if shot.series]
    y, x = np.nonzero(capture.pixels().min(axis=2) > 200)
    assert np.ptp(y) / np.ptp(x) == pytest.approx(1, abs=0.05)
