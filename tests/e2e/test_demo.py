"""`pacs-ai demo` as a new user runs it, and the daemons it shows."""

import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pydicom
import pytest

from pacs_ai.cli.conformance_results import RESULTS
from tests import preloaded
from tests.node import PATIENCE, wait_for
from tests.samples import sample

pytestmark = pytest.mark.e2e

STUDIES = ("phantom", "ct", "mr")


def pacs_ai(folder: Path, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pacs_ai", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        timeout=PATIENCE,
        env={**os.environ, "TMPDIR": str(folder), **environment},
    )


def forked(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command beside the demonstration, which is the real one."""
    return preloaded.run(words, folder, PATIENCE)


def test_three_studies_come_back_with_report_and_overlay(tmp_path: Path) -> None:
    (tmp_path / "demo-output").mkdir()
    (tmp_path / "demo-output" / "mine.txt").write_text("mine")
    done = pacs_ai(tmp_path, "demo", PACS_AI_NODE_PORT="1", PACS_AI_NODE_AE_TITLE="OTHER")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    for name in STUDIES:
        row = re.search(rf"^{name} +(\w+) +(.+?) +0\.\d+ +yes +(\d) +\d+\.\d$", done.stdout, re.M)
        assert row is not None, done.stdout
        assert int(row[3]) >= 1
        for step in (
            "received",
            "complete",
            "routed to demo",
            "analysed",
            "delivered",
            "committed",
        ):
            assert re.search(rf"^ *\d+\.\d s  {name}: {step}", done.stdout, re.M), step
    assert "phantom: the peak of the heat map lies inside the lesion" in done.stdout
    output = tmp_path / "demo-output"
    assert (output / "mine.txt").exists()
    for name in STUDIES:
        looks_right(output / name)
    left = [path for path in tmp_path.iterdir() if path.name.startswith("pacs-ai-demo-")]
    assert left == [], "node and archive leave nothing behind"


def looks_right(folder: Path) -> None:
    text = (folder / "report-1.txt").read_text()
    assert "NOT FOR CLINICAL USE" in text
    assert "%" in text
    assert (folder / "overlay-1.png").read_bytes().startswith(b"\x89PNG")
    source = pydicom.dcmread(folder / "source-1.dcm")
    report, capture = (pydicom.dcmread(folder / f"{name}-1.dcm") for name in ("report", "overlay"))
    assert (report.SOPClassUID, capture.SOPClassUID) == (RESULTS["report"], RESULTS["capture"])
    for made in (report, capture):
        assert made.StudyInstanceUID == source.StudyInstanceUID
        assert made.PatientID == source.PatientID


@pytest.mark.slow
def test_own_files_that_no_model_takes_are_no_success(tmp_path: Path) -> None:
    paths = [sample(name) for name in ("reportsi.dcm", "rtplan.dcm")]
    done = pacs_ai(tmp_path, "demo", *paths)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "routed nowhere: nothing to analyse" in done.stdout
    assert "study-2: one refused: AI_NODE: C-STORE answered 0xA901" in done.stdout
    assert "Not every study has its report" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    logs = re.search(r"logs of node and archive are in (\S+)", done.stdout)
    assert logs is not None
    assert {path.name for path in Path(logs[1]).glob("*.log")} == {"node.log", "archive.log"}


@pytest.mark.slow
def test_keep_leaves_both_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(sample(), tmp_path / "mine.dcm")
    monkeypatch.setenv("PACS_AI_WEB_ENABLED", "true")
    done = pacs_ai(tmp_path, "demo", tmp_path / "mine.dcm", "--keep")
    pids = [int(pid) for pid in re.findall(r"process (\d+)", done.stdout)]
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(pids) == 2
        peer = re.search(r"pacs-ai send (\S+) PATH", done.stdout)
        config = re.search(r"studies list --config (\S+)", done.stdout)
        assert peer is not None
        assert config is not None
        assert forked(tmp_path, "echo", peer[1]).returncode == 0
        listed = forked(tmp_path, "studies", "list", "--config", config[1], "--json")
        assert "study-1" not in listed.stderr
        assert '"delivered": "2/2 archive"' in listed.stdout
        page = re.search(r"(http://\S+) in a browser", done.stdout)
        assert page is not None
        with urllib.request.urlopen(f"{page[1]}healthz", timeout=60) as answer:  # noqa: S310
            assert answer.status == 200
        assert forked(tmp_path, "doctor", "--config", config[1]).returncode == 0
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not any(alive(pid) for pid in pids))


@pytest.mark.slow
def test_interrupted_it_ends_what_it_started(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [sys.executable, "-m", "pacs_ai", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert demo.stdout is not None
    lines = []
    for line in demo.stdout:
        lines.append(line)
        if "node AI_NODE listens" in line:
            demo.send_signal(signal.SIGINT)
            break
    rest, _ = demo.communicate(timeout=PATIENCE)
    assert demo.returncode == 130, "".join(lines) + rest
    assert "Traceback" not in rest
    pids = [int(pid) for pid in re.findall(r"process (\d+)", "".join(lines))]
    assert len(pids) == 2
    assert not any(alive(pid) for pid in pids)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
