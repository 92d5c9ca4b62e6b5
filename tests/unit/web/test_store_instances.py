"""STOW-RS: the durable way and the answers of a C-STORE."""

from collections.abc import Iterable
from io import BytesIO
from typing import Any

import httpx
import pydicom
import pytest
import sqlalchemy as sa
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite

from pacs_ai.errors import NoSpace
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.traffic import read_traffic
from pacs_ai.net.http.multipart import written
from pacs_ai.store.schema import Instance
from pacs_ai.store.spool import Spool
from pacs_ai.web.app import make_app
from tests.http_client import HttpClient

RELATED = 'multipart/related; type="application/dicom"; boundary=frontier'


@pytest.fixture
def client(context: FlowContext) -> HttpClient:
    return HttpClient(make_app(context))


def slices(count: int, **changes: str) -> list[bytes]:
    path = get_testdata_file("CT_small.dcm")
    assert isinstance(path, str)
    dataset = pydicom.dcmread(path)
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    return [encoded(dataset, number) for number in range(count)]


def encoded(dataset: Dataset, number: int) -> bytes:
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.840.1.{number}"
    buffer = BytesIO()
    dcmwrite(buffer, dataset)
    return buffer.getvalue()


def store(
    client: HttpClient, files: Iterable[bytes], study: str = "", kind: str = RELATED
) -> httpx.Response:
    body = b"".join(written((("application/dicom", [one]) for one in files), "frontier"))
    path = "/dicom-web/studies" + (f"/{study}" if study else "")
    return client.request("POST", path, headers={"content-type": kind}, content=body)


def rows(context: FlowContext) -> list[Instance]:
    with context.database.read() as session:
        return list(session.scalars(sa.select(Instance).order_by(Instance.id)))


def items(answer: httpx.Response, tag: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer.json().get(tag, {}).get("Value", [])
    return found


def test_instances_are_stored_as_they_were_sent(client: HttpClient, context: FlowContext) -> None:
    files = slices(3)
    answer = store(client, files)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/dicom+json"
    kept = rows(context)
    assert [one.sop_instance_uid for one in kept] == [f"1.2.840.1.{n}" for n in range(3)]
    assert {one.calling_aet for one in kept} == {"DICOMWEB"}
    [first, *_] = items(answer, "00081199")
    url = first["00081190"]["Value"][0]
    assert url.startswith("http://127.0.0.1:8080/dicom-web/studies/1.3.6.1.4.1.5962.1.2.1.")
    assert url.endswith("/instances/1.2.840.1.0")
    stored = pydicom.dcmread(context.spool.path_of(kept[0].path))
    assert stored == pydicom.dcmread(BytesIO(files[0]))
    traffic = read_traffic(context.spool)
    assert (traffic.answers, traffic.associations, traffic.open) == ({0: 3}, 1, 0)


def test_the_same_again_is_a_success(client: HttpClient, context: FlowContext) -> None:
    for _ in range(2):
        assert store(client, slices(1)).status_code == 200
    assert len(rows(context)) == 1


def test_one_that_is_refused_does_not_hold_up_the_others(
    client: HttpClient, context: FlowContext
) -> None:
    [good, cut] = slices(2)
    answer = store(client, [b"this is not DICOM", good, cut[:-1000]])
    assert answer.status_code == 202
    assert len(rows(context)) == 1
    [failed] = items(answer, "00081198")
    assert failed["00081155"]["Value"] == ["1.2.840.1.1"]
    assert failed["00081197"]["Value"][0] & 0xF000 == 0xC000
    [unnamed] = items(answer, "0008119A")
    assert unnamed["00081197"]["Value"] == [0xC000]
    assert list((context.spool.home / "tmp").iterdir()) == []


def test_only_instances_of_the_study_in_the_path_are_taken(
    client: HttpClient, context: FlowContext
) -> None:
    mine, other = slices(1)[0], slices(2, StudyInstanceUID="1.2.9")[1]
    answer = store(client, [mine, other], study="1.2.9")
    assert answer.status_code == 202
    assert [one.sop_instance_uid for one in rows(context)] == ["1.2.840.1.1"]
    [failed] = items(answer, "00081198")
    assert failed["00081197"]["Value"] == [0xA900]
    assert store(client, [mine], study="1.2.9").status_code == 409


def test_a_full_disk_is_a_service_that_is_not_there(
    client: HttpClient, context: FlowContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_self: Spool) -> None:
        raise NoSpace("full")

    monkeypatch.setattr(Spool, "new_incoming", full)
    answer = store(client, slices(1))
    assert answer.status_code == 503
    assert items(answer, "00081198")[0]["00081197"]["Value"] == [0xA700]
    assert read_traffic(context.spool).answers == {0xA700: 1}


def test_other_bodies_are_refused(client: HttpClient, context: FlowContext) -> None:
    for kind, status in (
        ('multipart/related; type="application/dicom+json"; boundary=frontier', 415),
        ("application/json", 415),
        ('multipart/related; type="application/dicom"', 400),
    ):
        assert store(client, slices(1), kind=kind).status_code == status
    body = {"headers": {"content-type": RELATED}, "content": b"--frontier\r\n\r\ncut off"}
    assert client.request("POST", "/dicom-web/studies", **body).status_code == 400
    assert store(client, []).status_code == 400
    assert store(client, slices(1), study="a.b").status_code == 400
    assert list((context.spool.home / "tmp").iterdir()) == []
    assert read_traffic(context.spool).open == 0


def test_one_instance_may_be_the_whole_body(client: HttpClient, context: FlowContext) -> None:
    answer = client.request(
        "POST",
        "/dicom-web/studies",
        headers={"content-type": "application/dicom"},
        content=slices(1)[0],
    )
    assert answer.status_code == 200
    assert len(rows(context)) == 1


def test_another_machine_needs_a_token(client: HttpClient, context: FlowContext) -> None:
    client.address = "192.0.2.7"
    assert store(client, slices(1)).status_code == 401
    assert rows(context) == []
