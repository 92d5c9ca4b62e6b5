"""The pictures in docs/pictures that show OHIF: phantoms and their results in a real browser.

`tests.docs.pictures` calls it. It needs what the tests of tests/viewer need: Orthanc, npm, node and
Chromium; without one of them all are left out.
"""

import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from pacs_ai.demo.npm_package import Unavailable, unpacked
from pacs_ai.demo.studies import shipped_studies
from pacs_ai.demo.viewer import OHIF
from pacs_ai.dicom.header import read_header
from pacs_ai.domain import ImagePrediction, ResultKind
from pacs_ai.model.predict import Classifier
from pacs_ai.results.build import build_refusals
from tests.conftest import require
from tests.integration.orthanc_server import OrthancServer
from tests.ports import free_port
from tests.unit.results.samples import refusal
from tests.viewer import studies
from tests.viewer.browser import Browser, Shot
from tests.viewer.packages import PLAYWRIGHT
from tests.viewer.site import Site

ROOT = Path(__file__).resolve().parents[2]
OVERLAY, REPORT, REGION = "AI heat map (", "AI classification", "AI region"
WANTED: Mapping[str, tuple[str | None, ...]] = {
    "demo": (None, OVERLAY, REPORT),
    "positive": (OVERLAY, REPORT),
    "fourteen": (REPORT, REGION),
    "refused": (REPORT,),
}
"""By the names of studies: their series that are looked at."""

_GAP = 8
_WHITE = 255
_BRIGHT = 100

Rgb = npt.NDArray[np.uint8]
Shots = Mapping[tuple[str, str | None], Shot]


def whole(shot: Shot) -> Rgb:
    """The page of the viewer."""
    return np.asarray(Image.open(shot.file).convert("RGB"))


def pane(shot: Shot) -> Rgb:
    """The part of the page that shows the image."""
    place = shot.pane
    top, left = round(place.y), round(place.x)
    return whole(shot)[top : top + round(place.height), left : left + round(place.width)]


def three(shots: Shots) -> Rgb:
    """The radiograph, its capture and its report, with equal distances, on white."""
    panes = [pane(shots["demo", series]) for series in WANTED["demo"]]
    gap = np.full((panes[0].shape[0], _GAP, 3), _WHITE, dtype=np.uint8)
    return np.hstack([panes[0], gap, panes[1], gap, panes[2]])


def text_of_refusal(shots: Shots) -> Rgb:
    """The upper part of the report, down to its last line of text."""
    drawn = pane(shots["refused", REPORT])
    middle = drawn[_GAP:-_GAP, _GAP:-_GAP]  # without the frame around it
    text = np.flatnonzero(middle.max(axis=(1, 2)) > _BRIGHT)
    return drawn[: int(text.max()) + 5 * _GAP]


MAKERS: Mapping[str, Callable[[Shots], Rgb]] = {
    "demo-viewer": lambda shots: whole(shots["demo", REPORT]),
    "result-not-analysable": text_of_refusal,
    "result-region": lambda shots: pane(shots["fourteen", REGION]),
    "viewer": three,
    "viewer-fourteen": lambda shots: whole(shots["fourteen", REPORT]),
    "viewer-overlay": lambda shots: whole(shots["positive", OVERLAY]),
    "viewer-report": lambda shots: whole(shots["positive", REPORT]),
}
"""By the names of the pictures: what part of what was seen they show."""


def browser_pictures(classifier: Classifier) -> dict[str, Rgb | str]:
    """Look at the studies; gives each picture by its name, or says why there is none."""
    with ExitStack() as stack, tempfile.TemporaryDirectory() as name:
        try:
            shots = _look(classifier, Path(name), stack)
        except (pytest.skip.Exception, Unavailable) as reason:
            return dict.fromkeys(MAKERS, str(reason))
        return {picture: make(shots) for picture, make in MAKERS.items()}


def _look(classifier: Classifier, folder: Path, stack: ExitStack) -> Shots:
    binary, node, npm, chromium = map(require, ("Orthanc", "node", "npm", "chromium"))
    cache = ROOT / "build" / "viewer"
    ohif, playwright = (unpacked(package, cache, str(npm)) for package in (OHIF, PLAYWRIGHT))
    ports = [free_port() for _ in range(3)]
    archive = folder / "archive"
    archive.mkdir()
    orthanc = stack.enter_context(OrthancServer(binary, archive, *ports, route=False))
    settings = ROOT / "deploy" / "ohif" / "app-config.js"
    site = stack.enter_context(Site(ohif / "dist", settings, orthanc.http_port))
    stored = _studies(classifier, folder)
    for _, files in stored.values():
        for file in files:
            orthanc.upload(file)
    browser = Browser(node, playwright, chromium, site.url, folder / "shots")
    seen = browser.look({name: (stored[name][0], WANTED[name]) for name in WANTED})
    return {(one.study, one.series): one for all_of in seen.values() for one in all_of}


def _studies(classifier: Classifier, folder: Path) -> dict[str, tuple[str, list[Path]]]:
    """Make the studies and their results; gives UID and files of each."""
    ct = studies.phantom(folder / "ct", "CT", 11, lesion=True, slices=6)
    film = studies.phantom(folder / "film", "DX", 14, lesion=True)
    demo = shipped_studies(folder / "demo")[0].files
    made = {
        "demo": studies.analysed(classifier, demo, folder / "demo-results"),
        "positive": studies.analysed(classifier, ct, folder / "ct-results"),
        "fourteen": studies.of_fourteen(film, folder / "film-results", found=4),
    }
    found = {name: (one.uid, list(one.files)) for name, one in made.items()}
    [refused] = studies.phantom(folder / "refused", "DX", 15, lesion=False)
    seen = ImagePrediction(read_header(refused), 1, (), {})
    [report] = build_refusals(refusal([seen]), [ResultKind.REPORT], studies.CONTEXT)
    report.write(folder / "refusal.dcm")
    uid = seen.header.study_instance_uid
    return {**found, "refused": (uid, [refused, folder / "refusal.dcm"])}
