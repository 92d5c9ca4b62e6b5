"""The page in headless Chromium: pictures, axe-core, the keyboard, and no request to elsewhere."""

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import generate_uid

from pacs_ai.demo.npm_package import Unavailable, unpacked
from pacs_ai.model.bundle import SHIPPED
from pacs_ai.phantom import write_phantom_study
from tests.conftest import missing
from tests.node import Node, node
from tests.ports import free_port
from tests.samples import changed
from tests.viewer.packages import AXE, PLAYWRIGHT

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

VIEWS = (
    *("/", "/studies", "/studies/1", "/jobs", "/deliveries", "/failed", "/models", "/rules"),
    *("/configuration", "/log", "/nowhere"),
    *("/models/demo", "/log/lines", "/studies/4", "/studies/4/images", "/studies/4/patient"),
)
CONFIG = """
[models.demo]
bundle = "demo"
[models.second]
bundle = "{folder}/second"
[peers.archive]
ae_title = "ARCHIVE"
host = "127.0.0.1"
port = {port}
retry_max_seconds = 600
[[rules]]
name = "everything"
model = "demo"
send_to = ["archive"]
results = ["report", "capture"]
[[rules]]
name = "phantoms"
model = "demo"
results = ["map"]
when = {{ Manufacturer = "pacs-ai*", Modality = "CT" }}
[[rules]]
name = "second opinion"
model = "second"
results = ["report", "map"]
when = {{ Manufacturer = "pacs-ai*" }}
"""
SECONDS = 400
VENDORED = {
    "htmx.min.js": "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717",
    "uplot.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uplot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with studies whose results wait for an archive that is not there.

    The fourth study is a phantom of several slices, which two models have seen.
    """
    folder = tmp_path_factory.mktemp("page")
    shutil.copytree(SHIPPED / "demo", folder / "second")
    manifest = folder / "second" / "model.toml"
    manifest.write_text(manifest.read_text().replace('name = "demo"', 'name = "second"', 1))
    phantom = write_phantom_study(folder / "phantom", "CT", 2026, lesion=True, slices=6)
    switched_on = {"PACS_AI_WEB_ENABLED": "true", "PACS_AI_WEB_PORT": "0"}
    extra = CONFIG.format(port=free_port(), folder=folder)
    with node(folder / "node", free_port(), extra=extra, quiet=0.5, **switched_on) as one:
        one.start()
        for number in range(3):
            study = {"StudyInstanceUID": generate_uid(), "AccessionNumber": f"ACC{number}"}
            files = [
                changed(folder / "files", SOPInstanceUID=generate_uid(), **study) for _ in range(2)
            ]
            assert one.send(*files) == [0, 0]
        assert set(one.send(*phantom.files)) == {0}
        one.wait_for(lambda: one.states("job") == ["SUCCEEDED"] * 5)
        one.wait_for(lambda: set(one.states("delivery")) == {"WAITING"})
        yield one


@pytest.fixture(scope="module")
def seen(busy: Node, root: Path, tool: Callable[[str], Path]) -> dict[str, Any]:
    """What the browser has seen; the pictures are in test-output/page."""
    try:
        cache = root / "build" / "viewer"
        playwright, axe = (unpacked(one, cache, str(tool("npm"))) for one in (PLAYWRIGHT, AXE))
    except Unavailable as error:
        missing(str(error))
    out = root / "test-output" / "page"
    out.mkdir(parents=True, exist_ok=True)
    address = re.search(r"page +(http://127\.0\.0\.1:\d+)/", busy.log)
    assert address is not None
    added = busy.command("tokens", "add", "anna", "--role", "operator")
    assert added.returncode == 0, added.stderr
    plan = {
        "playwright": str(playwright),
        "axe": str(axe / "axe.min.js"),
        "chromium": str(tool("chromium")),
        "out": str(out),
        "address": address[1],
        "token": added.stdout.strip(),
        "accession": "ACC1",
        "views": VIEWS,
        "file": str(busy.folder.parent / "phantom" / "CT0001.dcm"),
    }
    done = subprocess.run(
        [tool("node"), Path(__file__).with_name("look.mjs")],
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_axe_finds_nothing(seen: dict[str, Any]) -> None:
    assert len(seen["shots"]) == 2 * (len(VIEWS) + 1)
    found = {(one["view"], one["size"]): one["violations"] for one in seen["shots"]}
    assert {view: one for view, one in found.items() if one} == {}


def test_each_view_fits_a_desk_and_a_phone(seen: dict[str, Any]) -> None:
    assert [(one["view"], one["size"]) for one in seen["shots"] if one["wide"]] == []


def test_nothing_comes_from_elsewhere_and_no_script_fails(seen: dict[str, Any]) -> None:
    assert seen["elsewhere"] == []
    assert [error for error in seen["errors"] if "404" not in error] == []  # /nowhere


def test_the_keyboard_suffices(seen: dict[str, Any]) -> None:
    steps = seen["steps"]
    assert (steps["skip"], steps["landed"]) == ("Go to the content", "main")
    assert steps["verdict"] == "Nothing is wrong; something waits"
    assert steps["study"] == "Study 2"
    assert re.fullmatch(r"\d+ deliveries are tried again", steps["done"])
    assert steps["renewed"]


def test_the_viewer_scrolls_and_lays_the_heat_map_over_the_image(seen: dict[str, Any]) -> None:
    viewer = seen["viewer"]
    first, last = viewer["home"], viewer["end"]
    assert first.startswith("1 of ")
    assert last == f"{first.split()[-1]} of {first.split()[-1]}"
    assert viewer["wheel"] == f"2 of {first.split()[-1]}"
    assert viewer["slider"] == f"3 of {first.split()[-1]}"
    assert len(set(viewer["pictures"])) == len(viewer["pictures"]) == 3
    assert viewer["over"] == [True, True], "a heat map lies exactly over its image"


def test_the_viewer_changes_opacity_class_and_window(seen: dict[str, Any]) -> None:
    viewer = seen["viewer"]
    before, after = viewer["opacity"]
    assert (before, after) == ("0.6", "0.59")
    assert viewer["layers"] == ["Lesion (demo): present", "Lesion (second): present"]
    assert len(set(viewer["heat"])) == 2
    assert viewer["next"]
    assert len(set(viewer["windows"])) == 3
    assert "present" in viewer["report"]


def test_rules_are_tried_with_a_file(seen: dict[str, Any]) -> None:
    assert "everything: matches" in seen["steps"]["rules"]
    assert "phantoms: matches" in seen["steps"]["rules"]


def test_the_curves_are_drawn(seen: dict[str, Any]) -> None:
    assert seen["steps"]["curves"] == 2
    assert re.search(r"In the last hour: \d+ images", seen["steps"]["said"])


@pytest.mark.parametrize("name", VENDORED)
def test_what_is_vendored_is_the_published_file(root: Path, name: str) -> None:
    file = root / "pacs_ai" / "web" / "page" / "static" / name
    assert hashlib.sha256(file.read_bytes()).hexdigest() == VENDORED[name]
