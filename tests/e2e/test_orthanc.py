"""Beside a real archive, with the configuration of deploy/orthanc: there and back, and no loop."""

import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

from tests.archive import to_archive
from tests.e2e.conftest import Department
from tests.integration.orthanc_server import OrthancServer
from tests.node import PATIENCE, wait_for
from tests.samples import sample

pytestmark = pytest.mark.e2e

REPORT = "1.2.840.10008.5.1.4.1.1.88.34"
CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
CT = "1.2.840.10008.5.1.4.1.1.2"


def to_orthanc(port: int) -> str:
    return to_archive(port, title="ORTHANC", peer="commitment = true")


def classes(archive: OrthancServer, study_uid: str) -> Counter[str]:
    """How many objects of each SOP class the archive has of a study."""
    (study,) = archive.find("Study", StudyInstanceUID=study_uid)
    instances = archive.get(f"/studies/{study['ID']}/instances")
    uids = [
        archive.call("GET", f"/instances/{one['ID']}/metadata/SopClassUid").decode()
        for one in instances
    ]
    return Counter(uids)


def send(tool: Callable[[str], Path], archive: OrthancServer, *paths: Path) -> None:
    """As a modality would: C-STORE to the archive, which knows nothing of the node's wishes."""
    subprocess.run(
        [tool("storescu"), "-aec", "ORTHANC", "127.0.0.1", str(archive.dicom_port), *paths],
        check=True,
        timeout=PATIENCE,
    )


def test_a_study_is_routed_and_its_results_come_back_once(
    department: Department,
    tool: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    archive, one = department(to_orthanc)
    source = pydicom.dcmread(sample())
    first, late = tmp_path / "first.dcm", tmp_path / "late.dcm"
    source.save_as(first)
    uid = str(source.StudyInstanceUID)
    send(tool, archive, first)
    one.wait_for(lambda: one.states("delivery") == ["COMMITTED", "COMMITTED"])
    assert classes(archive, uid) == {CT: 1, REPORT: 1, CAPTURE: 1}

    # the results make the study "stable" anew: nothing of it may come to the node again
    wait_for(lambda: archive.log.count("autoroute: study") >= 2, lambda: archive.log)
    time.sleep(2)
    assert one.query("SELECT revision, state FROM study") == [(1, "ROUTED")]
    assert one.query("SELECT count(*) FROM instance") == [(1,)]

    source.SOPInstanceUID = source.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    source.InstanceNumber = "2"
    source.save_as(late)
    send(tool, archive, late)
    wait_for(lambda: one.query("SELECT revision, state FROM study") == [(2, "ROUTED")])
    one.wait_for(lambda: one.states("delivery").count("COMMITTED") > 2)
    assert classes(archive, uid)[CT] == 2
    assert classes(archive, uid)[REPORT] == 2
    assert set(one.states("job")) == {"SUCCEEDED"}
    assert one.query("SELECT count(*) FROM instance") == [(2,)]


@pytest.mark.slow
def test_an_archive_that_routes_everything_back_makes_no_loop(
    department: Department, tool: Callable[[str], Path]
) -> None:
    """Without the guard of autoroute.lua the node's own guard has to do."""
    archive, one = department(to_orthanc)
    send(tool, archive, sample("MR_small.dcm"))
    one.wait_for(lambda: one.states("delivery") == ["COMMITTED", "COMMITTED"])
    for instance in archive.get("/instances"):
        body = f'{{"Synchronous": true, "Resources": ["{instance}"]}}'.encode()
        answer = archive.call("POST", "/modalities/AI_NODE/store", body)
        assert answer["FailedInstancesCount"] == 0
    wait_for(lambda: one.query("SELECT count(*) FROM instance") == [(3,)])
    time.sleep(4)
    assert one.query("SELECT revision, state FROM study") == [(1, "ROUTED")]
    assert one.states("job") == ["SUCCEEDED"]
