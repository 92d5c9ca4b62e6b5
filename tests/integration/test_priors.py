"""An earlier study is fetched from a real archive, analysed and compared with."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from pacs_ai.results.sr.report_text import readable
from tests.conftest import require
from tests.integration.orthanc_server import OrthancServer
from tests.node import Node, node
from tests.ports import free_port

pytestmark = [pytest.mark.integration, pytest.mark.slow]

CONFIG = """
[peers.archive]
ae_title = "ORTHANC"
host = "127.0.0.1"
port = {port}
retry_first_seconds = 0.2
retry_max_seconds = 1
[[rules]]
name = "all"
model = "demo"
send_to = ["archive"]
results = ["report"]
priors = {{ analyse = true, peer = "archive", wait_seconds = {wait} }}
"""


def image(folder: Path, day: str, **changes: object) -> Path:
    """Write a small study of a day."""
    made = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    made.StudyInstanceUID, made.SeriesInstanceUID = generate_uid(), generate_uid()
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    made.StudyDate, made.BodyPartExamined = day, "CHEST"
    made.PatientBirthDate = "19700102"
    if day < "2026":  # another picture
        made.PixelData = made.pixel_array[::-1].tobytes()
    for keyword, value in changes.items():
        setattr(made, keyword, value)
    path = folder / f"{made.SOPInstanceUID}.dcm"
    made.save_as(path)
    return path


@contextmanager
def site(folder: Path, wait: float, **environment: str) -> Iterator[tuple[OrthancServer, Node]]:
    """Run an archive with earlier studies, and a node that compares with them."""
    ports = free_port(), free_port(), free_port()
    binary = Path(require("Orthanc"))
    with OrthancServer(binary, folder / "o", *ports, route=False) as orthanc:
        for path in (
            image(folder, "20240301"),
            image(folder, "20230301"),
            image(folder, "20251201", BodyPartExamined="KNEE"),
            image(folder, "20251202", PatientBirthDate="19010101"),
            image(folder, "20251203", PatientID="SOMEBODY ELSE"),
            image(folder, "20260102"),
        ):
            orthanc.upload(path)
        extra = CONFIG.format(port=orthanc.dicom_port, wait=wait)
        with node(folder / "node", ports[2], extra=extra, **environment) as one:
            one.start()
            yield orthanc, one


def report_of(orthanc: OrthancServer) -> Dataset:
    """Return the only report in the archive."""
    found = [
        pydicom.dcmread(BytesIO(orthanc.get(f"/instances/{key}/file")))
        for key in orthanc.get("/instances")
    ]
    [report] = [one for one in found if one.Modality == "SR"]
    return report


def compared(one: Node) -> bool:
    return one.states("delivery") == ["STORED"]


def test_an_earlier_study_is_fetched_and_compared_with(tmp_path: Path) -> None:
    with site(tmp_path, 120) as (orthanc, one):
        assert one.send(image(tmp_path, "20260102", StudyTime="235959")) == [0]
        one.wait_for(lambda: compared(one))
        said = readable(report_of(orthanc)).change
        assert "Compared with the study of 2024-03-01, by the same model" in said
        assert "→" in said
        assert one.states("job") == ["SUCCEEDED", "SUCCEEDED"]
        [row] = one.query("SELECT rules, priority FROM job ORDER BY created_at DESC LIMIT 1")
        assert row == ("[]", 2), "the earlier study is analysed last, and nobody gets a report"
        shown = one.command("studies", "show", "1")
        assert "compared with the result of study 2" in shown.stdout, shown.stdout
        steps = json.loads(one.command("trace", "1", "--json").stdout)["steps"]
        assert {"postponed", "prior_chosen"} <= {step["step"] for step in steps}


def test_a_report_does_not_wait_for_long(tmp_path: Path) -> None:
    """The archive is gone before it has answered."""
    with site(tmp_path, 3) as (orthanc, one):
        orthanc.stop()
        assert one.send(image(tmp_path, "20260102", StudyTime="235959")) == [0]
        one.wait_for(lambda: one.states("job") == ["SUCCEEDED"])
        orthanc.start()
        one.wait_for(lambda: compared(one))
        assert readable(report_of(orthanc)).change.startswith("No prior compared: ")
        assert one.stop() == 0
