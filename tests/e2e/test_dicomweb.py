"""DICOMweb of a running node: what comes by STOW-RS is analysed as what comes by C-STORE."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient

from pacs_ai.net.http.multipart import written
from tests.e2e.test_web_process import ON, answers, page_port
from tests.integration.orthanc_server import OrthancServer
from tests.node import Node, node
from tests.samples import new_study

pytestmark = pytest.mark.e2e


@pytest.fixture(name="node")
def node_with_page(free_port: Callable[[], int], tmp_path: Path) -> Iterator[Node]:
    with node(tmp_path / "node", free_port(), **ON) as one:
        one.start()
        one.wait_for(lambda: answers(page_port(one)))
        yield one


def store(port: int, files: list[Path]) -> int:
    parts = [("application/dicom", [path.read_bytes()]) for path in files]
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/dicom-web/studies",
        b"".join(written(parts, "b")),
        {"content-type": 'multipart/related; type="application/dicom"; boundary=b'},
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own
        json.loads(answer.read())
        status: int = answer.status
        return status


def test_a_study_that_comes_by_http_is_analysed(node: Node, tmp_path: Path) -> None:
    assert store(page_port(node), new_study(tmp_path / "sent", 3)) == 200
    node.wait_for(lambda: node.states("study") == ["ROUTED"])
    node.wait_for(lambda: node.states("job") == ["SUCCEEDED"])
    assert node.query("SELECT count(*) FROM instance") == [(3,)]


def test_a_client_stores_finds_and_reads(node: Node, tmp_path: Path) -> None:
    client = DICOMwebClient(f"http://127.0.0.1:{page_port(node)}/dicom-web")
    sent = [pydicom.dcmread(path) for path in new_study(tmp_path / "sent", 2)]
    answer = client.store_instances(sent)
    assert len(answer.ReferencedSOPSequence) == 2
    node.wait_for(lambda: node.states("job") == ["SUCCEEDED"])
    study = sent[0].StudyInstanceUID
    [found] = client.search_for_studies(search_filters={"PatientID": sent[0].PatientID})
    assert found["0020000D"]["Value"] == [study]
    series = client.search_for_series(study)
    assert {"SR"} < {one["00080060"]["Value"][0] for one in series}  # the results are there, too
    metadata = client.retrieve_study_metadata(study)
    assert len(metadata) >= 3
    first = (study, sent[0].SeriesInstanceUID, sent[0].SOPInstanceUID)
    assert client.retrieve_instance(*first) == sent[0]
    [frame] = client.retrieve_instance_frames(*first, [1])
    assert frame == sent[0].PixelData
    assert client.retrieve_instance_rendered(*first, media_types=("image/png",))[1:4] == b"PNG"
    assert len(client.retrieve_series(*first[:2])) == 2


@pytest.mark.integration
@pytest.mark.slow
def test_orthanc_stores_here(
    node: Node, tmp_path: Path, free_port: Callable[[], int], tool: Callable[[str], Path]
) -> None:
    with OrthancServer(
        tool("Orthanc"),
        tmp_path / "orthanc",
        free_port(),
        free_port(),
        node.port,
        route=False,
    ) as archive:
        server = {"Url": f"http://127.0.0.1:{page_port(node)}/dicom-web/"}
        archive.call("PUT", "/dicom-web/servers/node", json.dumps(server).encode())
        for path in new_study(tmp_path / "sent", 2):
            archive.upload(path)
        [study] = archive.call("GET", "/studies")
        body = json.dumps({"Resources": [study]}).encode()
        archive.call("POST", "/dicom-web/servers/node/stow", body)
        node.wait_for(lambda: node.query("SELECT count(*) FROM instance") == [(2,)])
        node.wait_for(lambda: node.states("study") == ["ROUTED"])
