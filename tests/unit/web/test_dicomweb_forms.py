"""Forms in which DICOMweb answers: JSON or XML, views of pictures, transfer syntaxes."""

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import ImplicitVRLittleEndian

from pacs_ai.config.web import TrustedProxy
from pacs_ai.dicom.json_model import json_model
from pacs_ai.dicom.native_xml import native_xml
from pacs_ai.dicomweb import search
from pacs_ai.dicomweb.accept import accepted, require
from pacs_ai.dicomweb.errors import RequestRefused
from pacs_ai.domain import Role
from pacs_ai.flow.context import FlowContext
from pacs_ai.net.http.multipart import written
from pacs_ai.web.app import make_app
from tests.http_client import HttpClient
from tests.unit.web.test_dicomweb import ROOT, SENT, client, dataset, parts  # noqa: F401 - a fixture

CT = ROOT + "/1.2.1/series/1.2.1.1/instances/1.2.1.1.1"
JPEG_LS = ROOT + "/1.2.2/series/1.2.2.1/instances/1.2.2.1.1"
XML = "application/dicom+xml"
EXPLICIT = "1.2.840.10008.1.2.1"
OCTETS = "application/octet-stream"
NATIVE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"


def picture(client: HttpClient, query: str, path: str = CT) -> Image.Image:  # noqa: F811
    answer = client.get(f"{path}/rendered{query}", accept="image/png")
    assert answer.status_code == 200, answer.text
    return Image.open(BytesIO(answer.content))


def grey(image: Image.Image) -> np.ndarray:
    return np.asarray(image, dtype=int)


def test_a_window_is_used(client: HttpClient) -> None:  # noqa: F811
    values = SENT[0].pixel_array * SENT[0].RescaleSlope + SENT[0].RescaleIntercept
    shown = grey(picture(client, "?window=100,200,linear-exact"))
    expected = np.clip((values - 100) / 200 + 0.5, 0, 1) * 255
    assert np.abs(shown - expected).max() <= 1
    smooth = grey(picture(client, "?window=100,200,sigmoid"))
    assert np.abs(smooth - 255 / (1 + np.exp(-4 * (values - 100) / 200))).max() <= 1


def test_a_viewport_cuts_mirrors_and_fits(client: HttpClient) -> None:  # noqa: F811
    whole = grey(picture(client, ""))
    assert picture(client, "?viewport=256,512").size == (256, 256)
    assert picture(client, "?viewport=64,200").size == (64, 64)
    part = grey(picture(client, "?viewport=40,30,10,20,40,30"))
    assert (part == whole[20:50, 10:50]).all()
    mirrored = grey(picture(client, "?viewport=40,30,10,20,-40,-30"))
    assert (mirrored == part[::-1, ::-1]).all()
    small = client.get(f"{CT}/thumbnail?viewport=32,32").content
    assert Image.open(BytesIO(small)).size == (32, 32)


def test_quality_is_that_of_jpeg(client: HttpClient) -> None:  # noqa: F811
    sizes = [len(client.get(f"{CT}/rendered?quality={one}").content) for one in (10, 90)]
    assert sizes[0] < sizes[1] / 2


@pytest.mark.parametrize(
    "query",
    [
        *("window=1", "window=1,0", "window=1,2,cubic", "window=nan,2", "quality=0", "quality=101"),
        *(
            "viewport=0,1",
            "viewport=9",
            "viewport=99999,1",
            "viewport=9,9,500,500",
            "viewport=9,9,-",
        ),
    ],
)
def test_other_forms_are_refused(client: HttpClient, query: str) -> None:  # noqa: F811
    assert client.get(f"{CT}/rendered?{query}").status_code == 400


def test_a_picture_is_of_one_frame(client: HttpClient) -> None:  # noqa: F811
    assert client.get(f"{CT}/frames/1,1/rendered").status_code == 400


def test_the_most_wanted_form_is_sent(client: HttpClient) -> None:  # noqa: F811
    answer = client.get(f"{CT}/rendered", accept="image/jpeg;q=0.5, image/png")
    assert answer.headers["content-type"] == "image/png"
    answer = client.get(f"{CT}/rendered?accept=image/png", accept="image/jpeg")
    assert answer.headers["content-type"] == "image/png"
    assert list(accepted("a/b;q=0.1, */*;q=0, c/d;q=x")) == [("c/d", ""), ("a/b", "")]
    with pytest.raises(RequestRefused):
        require("image/gif, image/*;q=0", "image/jpeg")


def test_metadata_and_searches_in_xml(client: HttpClient) -> None:  # noqa: F811
    accept = f'multipart/related; type="{XML}"'
    for path, count in ((f"{ROOT}/1.2.1/metadata", 4), (ROOT, 2)):
        found = parts(client, path, accept)
        assert [kind for kind, _ in found] == [XML] * count
    [(_, content)] = parts(client, f"{CT}/metadata", accept)
    root = ET.fromstring(content)  # noqa: S314 - our own
    by_keyword = {one.get("keyword"): one for one in root}
    name = by_keyword["PatientName"].find(f"{NATIVE}PersonName/{NATIVE}Alphabetic")
    assert name is not None
    assert [(part.tag.removeprefix(NATIVE), part.text) for part in name] == [
        ("FamilyName", "Doe"),
        ("GivenName", "Jane"),
    ]
    assert by_keyword["PatientID"].findtext(f"{NATIVE}Value") == "P1"
    pixels = by_keyword["PixelData"].find(f"{NATIVE}BulkData")
    assert pixels is not None
    assert str(pixels.get("uri")).endswith(f"{CT}/bulkdata/7FE00010")


def test_xml_has_sequences_binaries_and_no_forbidden_signs() -> None:
    model = {
        "00081140": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2"]}}]},
        "00091001": {"vr": "OB", "InlineBinary": "AAE="},
        "00080080": {"vr": "LO", "Value": ["a\x00<b"]},
        "00100010": {"vr": "PN", "Value": [None]},
    }
    root = ET.fromstring(native_xml(model))  # noqa: S314 - our own
    assert root.findtext(f".//{NATIVE}Item/{NATIVE}DicomAttribute/{NATIVE}Value") == "1.2"
    assert root.findtext(f".//{NATIVE}InlineBinary") == "AAE="
    assert root.findtext(f".//*[@keyword='InstitutionName']/{NATIVE}Value") == "a<b"


def test_stored_instances_are_answered_in_xml(client: HttpClient) -> None:  # noqa: F811
    buffer = BytesIO()
    one = dataset(StudyInstanceUID="1.2.5", SeriesInstanceUID="1.2.5.1", SOPInstanceUID="1.2.5.2")
    one.save_as(buffer)
    body = b"".join(written([("application/dicom", [buffer.getvalue()])], "b"))
    kind = 'multipart/related; type="application/dicom"; boundary=b'
    for accept, status in ((XML, 200), ("text/html", 406)):
        headers = {"content-type": kind, "accept": accept}
        answer = client.request("POST", ROOT, headers=headers, content=body)
        assert answer.status_code == status
        if status == 200:
            assert answer.headers["content-type"] == XML
            root = ET.fromstring(answer.content)  # noqa: S314 - our own
            [stored] = root.findall(f"{NATIVE}DicomAttribute[@keyword='ReferencedSOPSequence']")
            assert stored.findtext(f".//*[@keyword='ReferencedSOPInstanceUID']/{NATIVE}Value") == (
                "1.2.5.2"
            )


def test_a_body_that_is_packed_is_refused(client: HttpClient) -> None:  # noqa: F811
    headers = {"content-type": "application/dicom", "content-encoding": "gzip"}
    assert client.request("POST", ROOT, headers=headers, content=b"").status_code == 415


def test_instances_come_in_a_transfer_syntax_that_is_taken(client: HttpClient) -> None:  # noqa: F811
    accept = f'multipart/related; type="application/dicom"; transfer-syntax={EXPLICIT}'
    assert len(parts(client, CT, accept)) == 1
    assert client.get(JPEG_LS, accept=accept).status_code == 406
    stored = SENT[4].file_meta.TransferSyntaxUID
    assert client.get(JPEG_LS, accept=f"{accept}, {accept.replace(EXPLICIT, stored)}").is_success
    single = client.get(CT, accept="application/dicom; transfer-syntax=*")
    assert single.headers["content-type"] == "application/dicom"
    assert pydicom.dcmread(BytesIO(single.content)) == SENT[0]


def test_implicit_becomes_explicit_where_that_is_asked_for(client: HttpClient) -> None:  # noqa: F811
    uids = {"StudyInstanceUID": "1.2.6", "SeriesInstanceUID": "1.2.6.1"}
    one = dataset(SOPInstanceUID="1.2.6.2", **uids)
    one.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    buffer = BytesIO()
    pydicom.dcmwrite(buffer, one, implicit_vr=True, little_endian=True)
    kind = {"content-type": "application/dicom"}
    sent = client.request("POST", ROOT, headers=kind, content=buffer.getvalue())
    assert sent.status_code == 200
    accept = f"application/dicom; transfer-syntax={EXPLICIT}"
    got = pydicom.dcmread(BytesIO(client.get(f"{ROOT}/1.2.6", accept=accept).content))
    assert got.file_meta.TransferSyntaxUID == EXPLICIT
    assert got.PixelData == one.PixelData
    assert got.PatientName == one.PatientName


@pytest.mark.parametrize(
    ("accept", "status", "kind"),
    [
        ("multipart/related; type=image/jls", 200, "image/jls"),
        ("multipart/related; type=image/jpeg", 406, ""),
        ("multipart/related; type=image/jpeg, */*;q=0.1", 200, "image/jls"),
        (f"multipart/related; type={OCTETS}; transfer-syntax={EXPLICIT}", 200, OCTETS),
        (f"multipart/related; type={OCTETS}", 200, OCTETS),
        (f"multipart/related; type={OCTETS}; transfer-syntax=*", 200, "image/jls"),
        (f"multipart/related; type=image/jls, multipart/related; type={OCTETS}", 200, "image/jls"),
        ("multipart/related; type=image/jls; transfer-syntax=1.2.840.10008.1.2.4.50", 406, ""),
    ],
)
def test_frames_come_in_a_form_that_is_taken(
    client: HttpClient,  # noqa: F811
    accept: str,
    status: int,
    kind: str,
) -> None:
    answer = client.get(f"{JPEG_LS}/frames/1", accept=accept)
    assert answer.status_code == status
    assert kind in answer.headers["content-type"]


def test_a_search_says_what_it_has_not_done(client: HttpClient) -> None:  # noqa: F811
    for name, way in (
        ("doe*", "fuzzymatching"),
        ("nobody", "fuzzymatching"),
        ("", "emptyvaluematching"),
    ):
        answer = client.get(f"{ROOT}?PatientName={name}&{way}=true")
        assert answer.status_code == (204 if name == "nobody" else 200)
        assert way in answer.headers["warning"]
    assert "warning" not in client.get(f"{ROOT}?limit=1").headers
    assert "warning" not in client.get(f"{ROOT}?fuzzymatching=false").headers
    everything = client.get(f"{ROOT}/1.2.1/instances?includefield=all&limit=1&offset=3").json()
    assert "00280010" in everything[0]
    assert len(everything[0]) > 60


def test_a_search_reads_one_header_of_each_study(
    client: HttpClient,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[Path] = []

    def counted(path: Path, url_of: Callable[[str], str]) -> dict[str, object]:
        read.append(path)
        return json_model(path, url_of)

    monkeypatch.setattr(search, "json_model", counted)
    found = client.get(f"{ROOT}?PatientName=*oe*").json()
    assert [model["00080061"]["Value"] for model in found] == [["MR"], ["CT"]]
    assert len(read) == 2


@pytest.mark.parametrize(
    ("headers", "begin"),
    [
        ({"host": "127.0.0.1"}, "http://127.0.0.1:8080/"),
        ({"host": "localhost:9000"}, "http://localhost:9000/"),
        ({"host": "192.0.2.1"}, "http://192.0.2.1/"),
        ({"x-forwarded-proto": "https"}, "http://127.0.0.1:8080/"),
    ],
)
def test_links_lead_back_to_the_server(
    client: HttpClient,  # noqa: F811
    headers: dict[str, str],
    begin: str,
) -> None:
    [first, *_] = client.request("GET", ROOT, headers=headers).json()
    assert first["00081190"]["Value"][0].startswith(f"{begin}dicom-web/")


def test_links_begin_as_a_trusted_proxy_says(context: FlowContext) -> None:
    proxy = TrustedProxy(addresses=("127.0.0.1",), role=Role.OPERATOR)
    web = context.config.web.model_copy(update={"trusted_proxy": proxy})
    app = make_app(replace(context, config=context.config.model_copy(update={"web": web})))
    behind = HttpClient(app, headers={"x-forwarded-user": "anna", "x-forwarded-proto": "https"})
    buffer = BytesIO()
    SENT[0].save_as(buffer)
    kind = {"content-type": "application/dicom"}
    answer = behind.request("POST", ROOT, headers=kind, content=buffer.getvalue())
    [stored] = answer.json()["00081199"]["Value"]
    assert stored["00081190"]["Value"][0].startswith("https://127.0.0.1:8080/dicom-web/")
