"""schemathesis asks the REST API for what its document describes, and for what it forbids."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.node import PATIENCE, Node, wait_for
from tests.samples import new_study

pytestmark = pytest.mark.e2e


@pytest.mark.slow
def test_answers_are_as_described(running: Node, tmp_path: Path) -> None:
    """No answer 500, none of another form than described, nothing accepted that is forbidden."""
    running.send(*new_study(tmp_path / "study", 2))
    running.wait_for(lambda: running.states("job") == ["SUCCEEDED"])
    token = running.command("tokens", "add", "tester", "--role", "admin").stdout.strip()
    log = tmp_path / "web"
    with log.open("wb") as out:
        page = subprocess.Popen(
            [sys.executable, "-m", "pacs_ai", "web", "--port", "0", "--config", running.config],
            stdout=out,
            stderr=out,
        )
    try:
        wait_for(lambda: "serves the page at" in log.read_text(), log.read_text)
        address = re.search(r"http://[\d.:]+", log.read_text())
        assert address is not None
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run"),
                *(f"{address[0]}/api/v1/openapi.json", "--no-color", "--seed", "1"),
                *("--phases", "coverage,fuzzing", "--max-examples", "3"),
                *("--request-timeout", "60", "-H", f"Authorization: Bearer {token}"),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            timeout=2 * PATIENCE,
        )
    finally:
        page.terminate()
        page.wait()
    assert done.returncode == 0, done.stdout[-6000:]
