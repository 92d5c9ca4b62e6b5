"""`make dev` as a developer uses it: start, look, Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from pacs_ai.demo.npm_package import Unavailable, unpacked
from pacs_ai.demo.viewer import OHIF
from tests import dev
from tests.conftest import missing
from tests.node import PATIENCE, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def fetched(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=PATIENCE) as answer:  # noqa: S310 - loopback
        content: bytes = answer.read()
    return content


def test_a_department_runs_until_ctrl_c(
    root: Path, tool: Callable[[str], Path], tmp_path: Path
) -> None:
    tool("Orthanc")
    try:
        unpacked(OHIF, root / "build" / "viewer", str(tool("npm")))
    except Unavailable as error:
        missing(str(error))
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.dev"],
            cwd=root,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_for(
            lambda: "the archive has the results" in log.read_text() or process.poll() is not None,
            log.read_text,
        )
        assert process.poll() is None, log.read_text()
        viewer = re.search(r"^OHIF +(\S+)", log.read_text(), re.M)
        assert viewer is not None
        assert b"OHIF" in fetched(viewer[1])
        assert fetched(f"{viewer[1]}/dicom-web/studies").count(b'"0020000D"') == 4
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the servers get it too
        assert process.wait(PATIENCE) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert log.read_text().endswith("ended\n")
    assert list(tmp_path.glob("pacs-ai-dev-*")) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"npm"}, "apt-get install orthanc orthanc-dicomweb"),
        ({"Orthanc"}, "apt-get install npm"),
        (set(), "apt-get install orthanc orthanc-dicomweb npm"),
    ],
)
def test_what_is_missing_is_said_in_one_line(
    found: set[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dev, "find_tool", lambda name: Path(name) if name in found else None)
    assert dev.main() == 1
    assert capsys.readouterr().out == f"make dev needs more programs: {said}\n"
