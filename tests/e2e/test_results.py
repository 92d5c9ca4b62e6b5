"""Every kind of result through the whole node to a real archive, and back."""

import json
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from pacs_ai.cli.conformance_results import RESULTS
from pacs_ai.phantom import write_phantom_study
from tests.archive import archive, to_archive
from tests.e2e.conftest import Department
from tests.integration.generated_sources import write_generated
from tests.integration.orthanc_server import OrthancServer
from tests.node import PATIENCE, Node, node
from tests.samples import sample

pytestmark = pytest.mark.e2e

TO_ORTHANC = """
[peers.archive]
ae_title = "ORTHANC"
host = "127.0.0.1"
port = {port}
[peers.viewer]
ae_title = "ORTHANC"
host = "127.0.0.1"
port = {port}
results = ["capture", "pdf"]
[[rules]]
name = "everything of what a model takes"
model = "demo"
send_to = ["archive"]
results = [
  "report", "capture", "region", "map", "key_object", "seg", "label_map", "pdf", "hl7", "fhir",
]
when = {{ Modality = ["CT", "MR"] }}
[[rules]]
name = "what it does not take"
model = "demo"
send_to = ["archive", "viewer"]
results = ["report", "capture", "pdf", "hl7", "fhir"]
when_not_analysable = "report"
when = {{ Modality = "US" }}
"""


def to_orthanc(port: int) -> str:
    return TO_ORTHANC.format(port=port)


def send(tool: Callable[[str], Path], one: Node, *paths: Path) -> None:
    command = [tool("dcmsend"), "-aec", "AI_NODE", "127.0.0.1", str(one.port), *paths]
    subprocess.run(command, check=True, timeout=PATIENCE)


def shown(one: Node, uid: str) -> dict[str, list[dict[str, str]]]:
    done = one.command("studies", "show", uid, "--json")
    assert done.returncode == 0, done.stderr
    [found] = json.loads(done.stdout)
    return found


def kept(details: dict[str, list[dict[str, str]]]) -> dict[str, Path]:
    return {row["result"]: Path(row["file"]) for row in details["results"]}


def read_back(archive: OrthancServer, uid: str) -> Dataset:
    [found] = archive.find("Instance", SOPInstanceUID=uid)
    content = archive.call("GET", f"/instances/{found['ID']}/file")
    return pydicom.dcmread(BytesIO(content))


def test_every_kind_arrives_and_is_read_back_as_it_was_made(
    department: Department,
    tool: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    archive, one = department(to_orthanc, route=False)
    # a lesion nobody could miss: regions and key objects are made of findings alone
    phantom = write_phantom_study(tmp_path / "phantom", "CT", 11, lesion=True, slices=6)
    send(tool, one, *phantom.files)
    one.wait_for(lambda: one.states("job") == ["SUCCEEDED"])
    one.wait_for(lambda: set(one.states("delivery")) == {"STORED"})
    files = kept(shown(one, phantom.study_uid))
    objects = {name: file for name, file in files.items() if file.suffix == ".dcm"}
    assert {"hl7 1", "fhir 1"} == set(files) - set(objects)
    for file in objects.values():
        made = pydicom.dcmread(file)
        assert read_back(archive, made.SOPInstanceUID) == made
    assert len(one.states("delivery")) == len(objects)
    kinds = {str(pydicom.dcmread(file).SOPClassUID) for file in objects.values()}
    wanted = ("report", "capture", "region", "map", "key_object", "seg", "label_map", "pdf")
    assert kinds == {RESULTS[kind] for kind in wanted}
    assert files["hl7 1"].read_bytes().startswith(b"MSH|^~\\&|pacs-ai|")
    assert json.loads(files["fhir 1"].read_text("utf-8"))["resourceType"] == "Bundle"


@pytest.mark.slow
def test_what_was_not_analysable_is_said_to_those_who_asked(
    department: Department,
    tool: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    archive, one = department(to_orthanc, route=False)
    send(tool, one, write_generated("generated us", tmp_path))
    one.wait_for(lambda: one.states("job") == ["REJECTED"])
    one.wait_for(lambda: one.states("delivery") == ["STORED"] * 3)
    details = shown(one, "1.2.3")
    assert "NO_FITTING_SERIES" in details["jobs"][0]["error_code"]
    sent = sorted((row["destination"], row["result"]) for row in details["deliveries"])
    assert sent == [("archive", "pdf 1"), ("archive", "report 1"), ("viewer", "pdf 1")]
    files = kept(details)
    assert set(files) == {"report 1", "pdf 1", "hl7 1", "fhir 1"}
    report = pydicom.dcmread(files["report 1"])
    assert read_back(archive, report.SOPInstanceUID) == report
    findings = report.ContentSequence[-2].ContentSequence[0]
    assert findings.TextValue.startswith("Not analysable: no suitable image for")


@pytest.mark.slow
def test_an_archive_that_refuses_3d_reports_gets_plain_ones(
    free_port: Callable[[], int], tmp_path: Path
) -> None:
    node_port, port = free_port(), free_port()
    with (
        archive(port, node_port, refuses=Comprehensive3DSRStorage) as peer,
        node(tmp_path / "node", node_port, extra=to_archive(port, peer="commitment = true")) as one,
    ):
        one.start()
        assert one.send(sample()) == [0]
        one.wait_for(lambda: one.states("delivery") == ["COMMITTED"] * 2)
        [report] = [dataset for dataset in peer.stored if dataset.Modality == "SR"]
        details = shown(one, str(pydicom.dcmread(sample()).StudyInstanceUID))
    assert report.SOPClassUID == ComprehensiveSRStorage
    files = kept(details)
    assert set(files) == {"capture 1", "report 1", "report 2D 1"}
    made = pydicom.dcmread(files["report 1"])
    assert made.SOPClassUID == Comprehensive3DSRStorage
    assert report.ContentSequence == made.ContentSequence
    assert sorted(row["result"] for row in details["deliveries"]) == ["capture 1", "report 2D 1"]
