"""`pacs-ai demo --viewer`: OHIF in Chromium on the node itself, and on nothing else."""

import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pacs_ai.demo.npm_package import Unavailable, unpacked
from pacs_ai.demo.viewer import OHIF
from tests.conftest import missing
from tests.e2e.test_demo import STUDIES, alive, pacs_ai
from tests.node import wait_for
from tests.viewer.browser import Browser, Seen
from tests.viewer.packages import PLAYWRIGHT

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

OVERLAY, REPORT = "AI heat map (", "AI classification"
SEEN = (None, OVERLAY, REPORT)
DRAWN = STUDIES[:2]
"""The phantom, and an image with a caution; `tests.viewer` looks at each kind of result."""

IMAGE_LEVELS = 200


@pytest.fixture(scope="module")
def packages(root: Path, tool: Callable[[str], Path]) -> tuple[Path, Path]:
    """The cache, with OHIF and the browser's remote control."""
    cache = root / "build" / "viewer"
    try:
        unpacked(OHIF, cache, str(tool("npm")))
        return cache, unpacked(PLAYWRIGHT, cache, str(tool("npm")))
    except Unavailable as error:
        missing(str(error))


@pytest.fixture(scope="module")
def seen(
    packages: tuple[Path, Path],
    root: Path,
    tool: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[str, Seen]]:
    """The address of the viewer, and what a browser has seen there."""
    cache, playwright = packages
    folder = tmp_path_factory.mktemp("demo")
    (folder / "cache").mkdir()
    (folder / "cache" / "pacs-ai").symlink_to(cache.resolve())
    done = pacs_ai(folder, "demo", "--keep", "--viewer", XDG_CACHE_HOME=str(folder / "cache"))
    pids = [int(pid) for pid in re.findall(r"process (\d+)", done.stdout)]
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        address = re.search(r"(http://\S+)/ in a browser: OHIF", done.stdout)
        assert address is not None, done.stdout
        shown = re.findall(r"StudyInstanceUIDs=(\S+) \((\w+)\)", done.stdout)
        studies = {name: uid for uid, name in shown}
        assert tuple(studies) == STUDIES
        out = root / "test-output" / "demo-viewer"
        shutil.rmtree(out, ignore_errors=True)
        browser = Browser(tool("node"), playwright, tool("chromium"), address[1], out)
        yield address[1], browser.see({name: (studies[name], SEEN) for name in DRAWN})
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not any(alive(pid) for pid in pids))


def test_the_studies_are_listed(seen: tuple[str, Seen]) -> None:
    _, shown = seen
    for patient in ("CompressedSamples, CT1", "CompressedSamples, MR1", "PHANTOM, DX"):
        assert patient in shown.studies


@pytest.mark.parametrize("study", DRAWN)
def test_images_and_results_are_drawn(seen: tuple[str, Seen], study: str) -> None:
    _, shown = seen
    source, overlay, report = shown.shots[study]
    for shot in (source, overlay, report):
        assert shot.levels() > IMAGE_LEVELS
        assert (shot.errors, shot.failed, shot.notices) == ((), (), ())
    assert overlay.coloured() > source.coloured() + 0.01
    assert any("probability" in text for text in report.texts)


def test_nobody_else_is_asked(seen: tuple[str, Seen]) -> None:
    address, shown = seen
    assert {one for one in shown.asked if one not in ("null", "data:", "blob:")} == {address}
