"""QIDO-RS and WADO-RS over what the node holds."""

from io import BytesIO
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.filewriter import dcmwrite

from pacs_ai.dicomweb.matching import Query
from pacs_ai.flow.context import FlowContext
from pacs_ai.net.http.multipart import MultipartReader, media_type, written
from pacs_ai.web.app import make_app
from tests.http_client import HttpClient
from tests.unit.net.test_multipart import Kept

ROOT = "/dicom-web/studies"


def dataset(name: str = "CT_small.dcm", **changes: object) -> pydicom.Dataset:
    found = pydicom.dcmread(str(get_testdata_file(name)))
    for keyword, value in changes.items():
        setattr(found, keyword, value)
    found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID
    return found


def requested(step: str) -> pydicom.Dataset:
    item = pydicom.Dataset()
    item.ScheduledProcedureStepID = step
    return item


SENT = [
    *(
        dataset(
            PatientName="Doe^Jane=\u6771^\u82b1\u5b50",
            SpecificCharacterSet="ISO_IR 192",
            RequestAttributesSequence=[requested("step-1")],
            PatientID="P1",
            AccessionNumber="A1",
            StudyDate="20240102",
            StudyInstanceUID="1.2.1",
            SeriesInstanceUID=f"1.2.1.{series}",
            SeriesNumber=series,
            SOPInstanceUID=f"1.2.1.{series}.{number}",
            InstanceNumber=number,
        )
        for series in (1, 2)
        for number in (1, 2)
    ),
    dataset(
        "MR_small_jpeg_ls_lossless.dcm",
        PatientName="Roe^Richard",
        PatientID="P2",
        StudyDate="20250304",
        StudyInstanceUID="1.2.2",
        SeriesInstanceUID="1.2.2.1",
        SOPInstanceUID="1.2.2.1.1",
    ),
]


@pytest.fixture
def client(context: FlowContext) -> HttpClient:
    client = HttpClient(make_app(context))
    files = []
    for one in SENT:
        buffer = BytesIO()
        dcmwrite(buffer, one)
        files.append(("application/dicom", [buffer.getvalue()]))
    kind = 'multipart/related; type="application/dicom"; boundary=b'
    body = b"".join(written(files, "b"))
    answer = client.request("POST", ROOT, headers={"content-type": kind}, content=body)
    assert answer.status_code == 200, answer.text
    return client


def found(client: HttpClient, path: str, tag: str = "0020000D") -> list[Any]:
    answer = client.get(f"/dicom-web{path}")
    assert answer.status_code in (200, 204), answer.text
    models = answer.json() if answer.content else []
    return [model[tag]["Value"][0] for model in models]


@pytest.mark.parametrize(
    ("query", "studies"),
    [
        ("", ["1.2.2", "1.2.1"]),
        ("?StudyInstanceUID=1.2.1", ["1.2.1"]),
        ("?StudyInstanceUID=1.2.1,1.2.2&limit=1", ["1.2.2"]),
        ("?limit=1&offset=1", ["1.2.1"]),
        ("?offset=2", []),
        ("?PatientName=doe*", ["1.2.1"]),
        ("?PatientName=DOE^J?NE&fuzzymatching=true", ["1.2.1"]),
        ("?PatientName=doe", []),
        ("?PatientName=\u6771*", ["1.2.1"]),
        ("?PatientName=doe*%3D\u6771*", ["1.2.1"]),
        ("?RequestAttributesSequence.ScheduledProcedureStepID=step-1", ["1.2.1"]),
        ("?00400275.00400009=step-2", []),
        ("?PatientName.PatientID=P1", []),
        ("?PatientID=P2", ["1.2.2"]),
        ("?00100020=P*", ["1.2.2", "1.2.1"]),
        ("?AccessionNumber=A1", ["1.2.1"]),
        ("?StudyDate=20240101-20240131", ["1.2.1"]),
        ("?StudyDate=20240201-", ["1.2.2"]),
        ("?StudyDate=20250304", ["1.2.2"]),
        ("?ModalitiesInStudy=CT", ["1.2.1"]),
        ("?PatientID=nobody", []),
    ],
)
def test_studies_are_found(client: HttpClient, query: str, studies: list[str]) -> None:
    assert found(client, f"/studies{query}") == studies


def test_a_study_has_what_a_viewer_lists(client: HttpClient) -> None:
    [model] = client.get("/dicom-web/studies?PatientID=P1&includefield=Manufacturer").json()
    assert model["00100010"]["Value"] == [
        {"Alphabetic": "Doe^Jane", "Ideographic": "\u6771^\u82b1\u5b50"}
    ]
    assert (model["00201206"]["Value"], model["00201208"]["Value"]) == ([2], [4])
    assert model["00080061"]["Value"] == ["CT"]
    assert model["00081190"]["Value"] == ["http://127.0.0.1:8080/dicom-web/studies/1.2.1"]
    assert "00080070" in model


def test_series_and_instances_are_found(client: HttpClient) -> None:
    assert found(client, "/studies/1.2.1/series", "0020000E") == ["1.2.1.1", "1.2.1.2"]
    assert found(client, "/series?SeriesNumber=2", "0020000E") == ["1.2.1.2"]
    path = "/studies/1.2.1/series/1.2.1.2/instances"
    assert found(client, path, "00080018") == ["1.2.1.2.1", "1.2.1.2.2"]
    assert found(client, f"{path}?InstanceNumber=2", "00080018") == ["1.2.1.2.2"]
    assert len(found(client, "/instances", "00080018")) == 5
    assert found(client, "/studies/1.2.9/series", "0020000E") == []


def test_what_cannot_be_searched_for_is_refused(client: HttpClient) -> None:
    for query in ("?Nonsense=1", "?limit=all", "?limit=-1"):
        assert client.get(f"/dicom-web/studies{query}").status_code == 400
    assert client.get("/dicom-web/studies", accept="text/html").status_code == 406
    assert Query.of([("limit", "5000")]).limit == 1000


def parts(client: HttpClient, path: str, accept: str) -> list[tuple[str, bytes]]:
    answer = client.get(path, accept=accept)
    assert answer.status_code == 200, answer.text
    kept = Kept()
    reader = MultipartReader(media_type(answer.headers["content-type"])[1]["boundary"], kept)
    reader.feed(answer.content)
    reader.finish()
    return kept.parts


def test_instances_come_as_they_were_sent(client: HttpClient) -> None:
    accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
    for path, count in ((ROOT + "/1.2.1", 4), (ROOT + "/1.2.1/series/1.2.1.1", 2)):
        assert len(parts(client, path, accept)) == count
    path = ROOT + "/1.2.1/series/1.2.1.1/instances/1.2.1.1.2"
    [(kind, content)] = parts(client, path, accept)
    assert kind == "application/dicom"
    assert pydicom.dcmread(BytesIO(content)) == SENT[1]


def test_metadata_leave_large_values_to_their_addresses(client: HttpClient) -> None:
    path = ROOT + "/1.2.1/series/1.2.1.1/instances/1.2.1.1.1"
    [model] = client.get(f"{path}/metadata").json()
    assert model["00100020"]["Value"] == ["P1"]
    url = model["7FE00010"]["BulkDataURI"]
    assert url == f"http://127.0.0.1:8080{path}/bulkdata/7FE00010"
    [(_, content)] = parts(client, f"{path}/bulkdata/7FE00010", "*/*")
    assert content == SENT[0].PixelData
    for unknown in ("00090001", "nonsense"):
        assert client.get(f"{path}/bulkdata/{unknown}").status_code == 404
    assert len(client.get(ROOT + "/1.2.1/metadata").json()) == 4


def test_frames_come_compressed_or_decoded(client: HttpClient) -> None:
    path = ROOT + "/1.2.2/series/1.2.2.1/instances/1.2.2.1.1"
    octets = 'multipart/related; type="application/octet-stream"'
    [(kind, content)] = parts(client, f"{path}/frames/1", octets + "; transfer-syntax=*")
    assert kind == "image/jls"
    assert content.startswith(b"\xff\xd8")
    plain = f"{octets}; transfer-syntax=1.2.840.10008.1.2.1"
    [(kind, content)] = parts(client, f"{path}/frames/1", plain)
    assert kind == "application/octet-stream"
    expected = SENT[4].pixel_array
    assert (np.frombuffer(content, expected.dtype).reshape(expected.shape) == expected).all()
    for wrong in ("2", "0", "1,x"):
        assert client.get(f"{path}/frames/{wrong}").status_code in (400, 404)


def test_a_picture_can_be_shown_by_anybody(client: HttpClient) -> None:
    path = ROOT + "/1.2.1/series/1.2.1.1/instances/1.2.1.1.1"
    for url in ("/rendered", "/frames/1/rendered"):
        answer = client.get(path + url, accept="image/png")
        picture = Image.open(BytesIO(answer.content))
        assert (picture.format, picture.size) == ("PNG", (128, 128))
    assert client.get(path + "/rendered").headers["content-type"] == "image/jpeg"
    small = Image.open(BytesIO(client.get(path + "/thumbnail").content))
    assert max(small.size) <= 128


def test_what_is_not_there_is_not_found(client: HttpClient) -> None:
    for path in ("/9.9", "/1.2.1/series/9.9", "/1.2.1/series/1.2.1.1/instances/9.9/metadata"):
        assert client.get(ROOT + path).status_code == 404


def test_another_machine_needs_a_token(client: HttpClient) -> None:
    client.address = "192.0.2.7"
    for path in ("", "/1.2.1", "/1.2.1/metadata"):
        assert client.get(ROOT + path).status_code == 401
