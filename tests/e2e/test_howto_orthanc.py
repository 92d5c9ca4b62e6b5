"""docs/howto/route-from-orthanc.md, followed word by word beside a real Orthanc; ports differ."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.orthanc_server import OrthancServer
from tests.node import Node
from tests.samples import sample

pytestmark = pytest.mark.e2e


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


def test_the_page_leads_to_results_in_orthanc(
    root: Path, tmp_path: Path, tool: Callable[[str], Path], free_port: Callable[[], int]
) -> None:
    page = (root / "docs" / "howto" / "route-from-orthanc.md").read_text("utf-8")
    node_port, dicom, http = free_port(), free_port(), free_port()
    ports = {"11112": str(node_port), "4242": str(dicom), "8042": str(http)}

    def here(text: str) -> str:
        return re.sub(r"\b(11112|4242|8042)\b", lambda found: ports[found[0]], text)

    (said,) = blocks(page, "json")
    site: dict[str, Any] = json.loads(here(said))
    assert site["StableAge"] == 15
    site["StableAge"] = 1
    commands = here("".join(blocks(page, "sh"))).splitlines()
    (init,) = (line for line in commands if line.startswith("pacs-ai init"))
    run(tmp_path, *init.split(), "--port", str(node_port))
    one = Node(tmp_path, node_port, {"PACS_AI_STORAGE_MIN_FREE_GB": "0"})
    site.pop("DicomPort"), site.pop("HttpPort")
    with OrthancServer(
        tool("Orthanc"), tmp_path / "orthanc", http, dicom, node_port, stable_age=1, site=site
    ) as orthanc:
        one.start()
        try:
            run(tmp_path, "pacs-ai", "echo", "archive")
            assert "pacs-ai echo archive" in commands
            orthanc.call("POST", "/modalities/AI_NODE/echo", b"{}")
            (send,) = (line for line in commands if line.startswith("storescu"))
            words = send.replace("study/*.dcm", str(sample("MR_small.dcm"))).split()
            subprocess.run([tool("storescu"), *words[1:]], check=True)
            one.wait_for(lambda: one.states("delivery") == ["STORED", "STORED"])
            (study,) = orthanc.find("Study")
            assert len(study["Series"]) == 3, "the images, the report, the pictures"
        finally:
            assert one.stop() == 0


def run(folder: Path, program: str, *words: str) -> None:
    assert program == "pacs-ai"
    done = subprocess.run(
        [sys.executable, "-m", "pacs_ai", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
