"""The page in headless Chromium: pictures, axe-core, the keyboard, and no request to elsewhere."""

import hashlib
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import generate_uid

from pacs_ai.demo.npm_package import Unavailable, unpacked
from tests.conftest import missing
from tests.node import Node, node
from tests.ports import free_port
from tests.samples import changed
from tests.viewer.packages import AXE, PLAYWRIGHT

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

VIEWS = (
    *("/", "/studies", "/studies/1", "/jobs", "/deliveries", "/failed", "/models", "/rules"),
    *("/configuration", "/log", "/nowhere"),
)
NOBODY = """
[peers.archive]
ae_title = "ARCHIVE"
host = "127.0.0.1"
port = {port}
retry_max_seconds = 600
[[rules]]
name = "everything"
model = "demo"
send_to = ["archive"]
"""
SECONDS = 400
HTMX = "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with studies whose results wait for an archive that is not there."""
    folder = tmp_path_factory.mktemp("page")
    switched_on = {"PACS_AI_WEB_ENABLED": "true", "PACS_AI_WEB_PORT": "0"}
    extra = NOBODY.format(port=free_port())
    with node(folder / "node", free_port(), extra=extra, quiet=0.5, **switched_on) as one:
        one.start()
        for number in range(3):
            study = {"StudyInstanceUID": generate_uid(), "AccessionNumber": f"ACC{number}"}
            files = [
                changed(folder / "files", SOPInstanceUID=generate_uid(), **study) for _ in range(2)
            ]
            assert one.send(*files) == [0, 0]
        one.wait_for(lambda: one.states("delivery") == ["WAITING"] * 6)
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
    plan = {
        "playwright": str(playwright),
        "axe": str(axe / "axe.min.js"),
        "chromium": str(tool("chromium")),
        "out": str(out),
        "address": address[1],
        "token": busy.command("tokens", "add", "anna", "--role", "operator").stdout.strip(),
        "accession": "ACC1",
        "views": VIEWS,
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
    assert steps["verdict"] == "Nothing is wrong"
    assert steps["study"] == "Study 2"
    assert steps["done"] == "6 deliveries are tried again"
    assert steps["renewed"]


def test_the_script_is_the_published_one(root: Path) -> None:
    script = root / "pacs_ai" / "web" / "page" / "static" / "htmx.min.js"
    assert hashlib.sha256(script.read_bytes()).hexdigest() == HTMX
