"""Results go to a real Orthanc by STOW-RS, and its DICOMweb says that it has them."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from pacs_ai.config import DicomwebPeer
from pacs_ai.destinations.dicomweb import listed
from pacs_ai.domain import TaskKind
from pacs_ai.flow.commitment_scu import commit
from pacs_ai.flow.context import FlowContext, pair_key
from pacs_ai.net.http.address import WebAddress
from pacs_ai.net.http.dicomweb import DicomwebPeerClient
from pacs_ai.net.refusals import PeerRefusal
from tests.conftest import require
from tests.integration.orthanc_server import OrthancServer
from tests.ports import free_port
from tests.unit.flow.ready import ready
from tests.unit.net.test_multipart import Kept

CT = Path(str(get_testdata_file("CT_small.dcm")))


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancServer]:
    folder = tmp_path_factory.mktemp("orthanc")
    ports = [free_port() for _ in range(3)]
    with OrthancServer(Path(require("Orthanc")), folder, *ports, route=False) as server:
        yield server


@pytest.fixture(scope="module")
def url(orthanc: OrthancServer) -> str:
    return f"http://127.0.0.1:{orthanc.http_port}/dicom-web"


def test_store_search_retrieve_delete(url: str) -> None:
    original = pydicom.dcmread(CT)
    original.StudyInstanceUID = generate_uid()  # other tests send theirs there
    original.PatientID = "SEARCHED"
    original.save_as(buffer := BytesIO())
    content = buffer.getvalue()
    uids = original.StudyInstanceUID, original.SeriesInstanceUID, original.SOPInstanceUID
    with DicomwebPeerClient(WebAddress("orthanc", url)) as client:
        client.probe()
        response = client.store([content])
        assert (response.stored, dict(response.failed)) == ({original.SOPInstanceUID}, {})
        (found,) = client.search("studies", {"PatientID": original.PatientID})
        assert found.StudyInstanceUID == original.StudyInstanceUID
        assert found.NumberOfStudyRelatedInstances == 1
        one, all_of_it = Kept(), Kept()
        assert client.retrieve(one, *uids) == 200
        ((_, retrieved),) = one.parts
        assert pydicom.dcmread(BytesIO(retrieved)).PixelData == original.PixelData
        client.retrieve(all_of_it, uids[0])
        assert [len(part) for _, part in all_of_it.parts] == [len(retrieved)]
        with pytest.raises(PeerRefusal):
            client.retrieve(Kept(), "1.2.3.4")
        with pytest.raises(PeerRefusal):
            client.store([content, b"no DICOM"])
        with pytest.raises(PeerRefusal):  # this version has a REST interface of its own for it
            client.delete(uids[0])


@pytest.mark.parametrize("lost", [False, True])
def test_results_are_delivered_and_found_again(
    orthanc: OrthancServer, url: str, context: FlowContext, *, lost: bool
) -> None:
    peer = DicomwebPeer(kind="dicomweb", url=url, commitment=True)
    patient = ready(context, {"pacs": peer})
    assert patient.deliver() == ["STORED"] * 2
    key = pair_key(patient.job, "pacs")
    assert patient.tasks(TaskKind.COMMIT) == [key]
    series = {one.series_instance_uid for one in patient.results()}
    if lost:
        for one in orthanc.find("Instance", SOPInstanceUID=patient.results()[0].sop_instance_uid):
            orthanc.call("DELETE", f"/instances/{one['ID']}")
    assert series
    commit(patient.context, key)
    assert patient.states() == (["PENDING", "COMMITTED"] if lost else ["COMMITTED"] * 2)
    assert listed(patient.context.config, "pacs", "1.2", ["1.3"]) == set()
