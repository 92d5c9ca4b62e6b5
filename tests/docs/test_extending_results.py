"""The kind of result that docs/extending.md describes, added to a copy of the package."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pydicom
import pytest
from pydicom.uid import BasicTextSRStorage

from pacs_ai.phantom import write_phantom_study


def section(root: Path) -> str:
    text = (root / "docs" / "extending.md").read_text()
    return text.split("\n## A kind of result\n")[1].split("\n## ")[0]


def code_blocks(text: str) -> list[str]:
    return [dedent(one) for one in re.findall(r"```python\n(.*?)```", text, re.DOTALL)]


@pytest.mark.integration
def test_the_kind_of_result_that_is_described_can_be_made(root: Path, tmp_path: Path) -> None:
    builder, name, row = code_blocks(section(root))
    package = shutil.copytree(root / "pacs_ai", tmp_path / "pacs_ai")
    (tmp_path / builder.splitlines()[0].removeprefix("# ")).write_text(builder)
    insert(package / "domain.py", f"    {name}", after='    CONTACT_SHEET = "contact_sheet"\n')
    kinds = package / "results" / "kinds.py"
    insert(kinds, f"    {row}", after="Objects(SECONDARY_CAPTURE, build_contact_sheet),\n")
    insert(
        kinds,
        "from pacs_ai.results.sr.conclusion import BasicTextSRStorage, build_conclusion\n",
        after="from pydicom.dataset import Dataset\n",
    )
    write_phantom_study(tmp_path / "study", "CR", seed=4, lesion=True)
    wanted = ["--out", "out", "--results", "conclusion", "--results", "report"]
    done = subprocess.run(
        [sys.executable, "-m", "pacs_ai", "infer", "study", "--model", "demo", *wanted],
        cwd=tmp_path,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [path] = (tmp_path / "out").rglob("conclusion-1.dcm")
    made = pydicom.dcmread(path)
    assert made.SOPClassUID == BasicTextSRStorage
    assert "esion: present" in made.ContentSequence[-1].TextValue


def insert(path: Path, line: str, *, after: str) -> None:
    before, found, rest = path.read_text().partition(after)
    assert found, f"{path.name} has no line {after!r}"
    path.write_text(before + found + line + rest)
