"""Rules are tried with a file that is dropped on the page."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pydicom
import pytest

from pacs_ai.config import Rule
from pacs_ai.flow.context import FlowContext
from pacs_ai.web.app import make_app
from pacs_ai.web.page.rules import LARGEST
from tests.http_client import HttpClient
from tests.samples import sample

RULES = (
    Rule(name="chest", model="demo", when={"Modality": "CT", "CallingAET": "CT*"}),
    Rule(name="private", model="demo", when={"PatientName": "CANARY*"}),
)


@pytest.fixture
def client(context: FlowContext) -> HttpClient:
    config = context.config.model_copy(update={"rules": RULES})
    return HttpClient(make_app(replace(context, config=config)))


def tried(client: HttpClient, content: bytes, query: str = "calling=CT1") -> str:
    answer = client.request("POST", f"/rules/try?{query}", content=content)
    assert answer.status_code == 200, answer.text
    return answer.text


def test_a_file_is_explained_and_kept_nowhere(client: HttpClient, tmp_path: Path) -> None:
    dataset = pydicom.dcmread(sample())
    dataset.PatientName = "CANARY^NAME"
    buffer = BytesIO()
    dataset.save_as(buffer)
    text = tried(client, buffer.getvalue())
    assert text.count(": matches") == 2
    assert "CANARY*" not in text, "the operand of the rule may name a patient"
    assert "chest: does not match" in tried(client, buffer.getvalue(), "calling=MR1")
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"CANARY" in content for content in kept)


def test_what_cannot_be_read_says_so(client: HttpClient) -> None:
    assert "cannot be read as DICOM" in tried(client, b"x" * 300) or "no SOPClassUID" in tried(
        client, b"x" * 300
    )
    long = client.request("POST", "/rules/try?calling=A123456789012345678", content=b"")
    assert long.status_code == 400
    large = client.request("POST", "/rules/try", content=bytes(LARGEST + 1))
    assert large.status_code == 400


def test_another_page_cannot_ask(client: HttpClient) -> None:
    headers = {"origin": "http://evil.example"}
    answer = client.request("POST", "/rules/try", content=b"", headers=headers)
    assert answer.status_code == 403
