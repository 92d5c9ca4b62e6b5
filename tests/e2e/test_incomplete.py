"""A study of which most images are broken, through a real node to a real archive."""

import json
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pydicom
import pytest

from tests.archive import to_archive
from tests.broken import broken_study
from tests.e2e.conftest import Department
from tests.node import Node

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

KINDS = '["report", "capture", "map", "pdf", "hl7", "fhir"]'


def to_orthanc(port: int) -> str:
    return to_archive(port, title="ORTHANC", rule=f"results = {KINDS}")


def shown(one: Node, uid: str) -> dict[str, list[dict[str, str]]]:
    done = one.command("studies", "show", uid, "--json")
    assert done.returncode == 0, done.stderr
    [found] = json.loads(done.stdout)
    return dict(found)


def test_the_archive_reads_how_little_was_looked_at(
    department: Department,
    tool: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    archive, one = department(to_orthanc, route=False)
    files = broken_study(tmp_path / "study", 27, 28, frames=False)
    assert set(one.send(*files)) == {0}
    one.wait_for(lambda: one.states("job") == ["SUCCEEDED"])
    one.wait_for(lambda: set(one.states("delivery")) == {"STORED"})
    details = shown(one, str(pydicom.dcmread(files[0]).StudyInstanceUID))
    assert "incompletely analysed, 1 of 28 images" in details["jobs"][0]["summary"]
    assert len(details["not_analysed"]) == 27
    kept = {row["result"]: Path(row["file"]) for row in details["results"]}
    report = pydicom.dcmread(kept["report 1"])
    [found] = archive.find("Instance", SOPInstanceUID=str(report.SOPInstanceUID))
    content = archive.call("GET", f"/instances/{found['ID']}/file")
    assert pydicom.dcmread(BytesIO(content)) == report
    command = [tool("dsrdump"), kept["report 1"]]
    tree = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "(INCOMPLETE,99PACSAI," in tree
    assert "(NOTREADABLE,99PACSAI," in tree
    assert '(121059,DCM,"Presence Undetermined")' in tree
    assert '"Absent"' not in tree
    for name in ("hl7 1", "fhir 1"):
        said = kept[name].read_text("utf-8")
        assert "1 of 28 images" in said
        assert "Nothing found" not in said
