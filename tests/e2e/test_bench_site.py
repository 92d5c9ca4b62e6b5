"""`pacs-ai bench site` as a user runs it: a page with every stage, and nothing left behind."""

import json
import os
import re
import signal
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.e2e.test_demo import alive, pacs_ai
from tests.node import PATIENCE, wait_for

pytestmark = pytest.mark.e2e

STAGES = ("receive", "complete", "queue", "analyse", "store", "deliver", "answer", "whole")
PROCESSES = ("daemon", "worker")  # radiographs that are not compressed need no others

OWN = """
[engine]
job_timeout_seconds = 800
[storage]
spool = "mine"
database = "sqlite:///mine.db"
"""


class Page(HTMLParser):
    """What a page shows, and what it would load from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href")]
        self.loads += ["script"] * (tag == "script")

    def handle_data(self, data: str) -> None:
        self.cells.append(data)


def test_a_page_with_every_stage(tmp_path: Path) -> None:
    (tmp_path / "pacs-ai.toml").write_text(OWN)
    done = pacs_ai(tmp_path, "bench", "site", "--studies", "3", "--output", "page.html")
    assert done.returncode == 0, done.stdout + done.stderr
    for stage in STAGES:
        row = re.search(rf"^  {stage} +([\d.,]+) +([\d.,]+) +([\d.,]+)  \w", done.stdout, re.M)
        assert row is not None, done.stdout
        middle, high, highest = (float(value.replace(",", "")) for value in row.groups())
        assert 0 <= middle <= high <= highest
    for line in ("instances received per s", "studies answered per h", *PROCESSES):
        assert re.search(rf"^  {line} +[\d,]+$", done.stdout, re.M), line
    assert "demo 1.1.1" in done.stdout
    assert re.search(r"^  runtime +ONNX Runtime [\d.]+, CPU, fp32$", done.stdout, re.M)
    assert "job_timeout_seconds = 800.0" in done.stdout
    assert "3 of 3 studies" in done.stderr
    page = Page((tmp_path / "page.html").read_text("utf-8"))
    assert set(STAGES) <= set(page.cells)
    assert page.loads == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pacs-ai.toml", "page.html"]


@pytest.mark.slow
def test_figures_add_up(tmp_path: Path) -> None:
    done = pacs_ai(tmp_path, "bench", "site", "--studies", "1", "--output", "page.json")
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads((tmp_path / "page.json").read_text())
    middle = {stage: figures["p50"] for stage, figures in record["stages_ms"].items()}
    assert tuple(middle) == STAGES
    assert middle["whole"] == pytest.approx(sum(middle[stage] for stage in STAGES[:6]))
    assert middle["answer"] == pytest.approx(middle["whole"] - middle["receive"])
    assert record["studies"] == record["burst"]["studies"] == 1
    assert set(PROCESSES) <= set(record["peak_mb"])


def test_what_it_cannot_measure(tmp_path: Path) -> None:
    done = pacs_ai(tmp_path, "bench", "site", "--output", "page.pdf")
    assert done.returncode == 2
    assert "must end in .html or .json" in done.stderr
    done = pacs_ai(tmp_path, "bench", "site", "--model", "nothing-here")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.thorough)]
)
def test_interrupted_it_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    bench = subprocess.Popen(
        [sys.executable, "-m", "pacs_ai", "bench", "site"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert bench.stderr is not None
    started = bench.stderr.readline()
    pids = [int(pid) for pid in re.findall(r"process (\d+)", started)]
    assert len(pids) == 2, started
    bench.send_signal(number)
    _, rest = bench.communicate(timeout=PATIENCE)
    assert bench.returncode == 130, started + rest
    assert "Traceback" not in rest
    wait_for(lambda: not any(alive(pid) for pid in pids))
    assert list(tmp_path.iterdir()) == []
