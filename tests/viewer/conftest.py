"""A real archive, the real viewer and a real browser, each started once."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pacs_ai.demo.npm_package import Unavailable, unpacked
from pacs_ai.demo.viewer import OHIF
from pacs_ai.model.bundle import load_bundle
from pacs_ai.model.predict import Classifier
from tests.conftest import missing
from tests.integration.orthanc_server import OrthancServer
from tests.ports import free_port
from tests.viewer.browser import Browser
from tests.viewer.packages import PLAYWRIGHT
from tests.viewer.site import Site

Tool = Callable[[str], Path]


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    return Classifier.load(load_bundle("demo"), 2)


@pytest.fixture(scope="session")
def orthanc(tool: Tool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancServer]:
    """An archive with DICOMweb that routes nothing."""
    folder = tmp_path_factory.mktemp("orthanc")
    http, dicom, node = (free_port() for _ in range(3))
    with OrthancServer(tool("Orthanc"), folder, http, dicom, node, route=False) as server:
        yield server


@pytest.fixture(scope="session")
def browser(root: Path, tool: Tool, orthanc: OrthancServer, worker_id: str) -> Iterator[Browser]:
    """The browser on OHIF with the settings of deploy/ohif; pictures go to test-output/viewer.

    Each process of the tests has a folder of its own there.
    """
    cache = root / "build" / "viewer"
    try:
        ohif, playwright = (
            unpacked(package, cache, str(tool("npm"))) for package in (OHIF, PLAYWRIGHT)
        )
    except Unavailable as error:
        missing(str(error))
    settings = root / "deploy" / "ohif" / "app-config.js"
    out = root / "test-output" / "viewer" / worker_id
    shutil.rmtree(out, ignore_errors=True)
    with Site(ohif / "dist", settings, orthanc.http_port) as site:
        yield Browser(tool("node"), playwright, tool("chromium"), site.url, out)
