"""FHIR transactions to a server, and the Task for its worklist."""

import json
from pathlib import Path

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.task import Task

from pacs_ai.destinations.base import DeliveryAnswer, OutgoingFile
from pacs_ai.destinations.fhir import FhirDestination
from pacs_ai.net.http.address import WebAddress
from tests.web_peer import Answer, web_peer

REPORT = {
    "resourceType": "DiagnosticReport",
    "identifier": [{"system": "urn:ietf:rfc3986", "value": "urn:oid:1.2.3"}],
    "status": "preliminary",
    "code": {"text": "report"},
    "subject": {"identifier": {"value": "1"}},
    "issued": "2026-01-02T03:04:05+00:00",
}
BUNDLE = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [
        {
            "fullUrl": "urn:uuid:0c5e9a3e-6f3c-4b1e-9d3a-0123456789ab",
            "resource": REPORT,
            "request": {"method": "PUT", "url": "DiagnosticReport?identifier=x"},
        }
    ],
}


@pytest.fixture
def file(tmp_path: Path) -> OutgoingFile:
    path = tmp_path / "1.json"
    path.write_text(json.dumps(BUNDLE))
    return OutgoingFile(path, "1.2.3")


def to(url: str, *, task: bool = False) -> FhirDestination:
    return FhirDestination(WebAddress("fhir", url, timeout=60), task=task)


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, DeliveryAnswer.STORED),
        (412, DeliveryAnswer.REFUSED),
        (422, DeliveryAnswer.REFUSED),
        (401, DeliveryAnswer.NOT_NOW),
        (503, DeliveryAnswer.NOT_NOW),
    ],
)
def test_a_bundle_is_posted_as_it_is(
    file: OutgoingFile, status: int, answer: DeliveryAnswer
) -> None:
    with web_peer(lambda _: Answer(status)) as peer:
        (outcome,) = to(peer.url).deliver([file], lambda _: True)
        assert outcome.answer is answer
        (asked,) = peer.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/", file.path.read_bytes())
    assert asked.headers["Content-Type"] == "application/fhir+json"


def test_the_task_is_the_same_at_every_try(file: OutgoingFile) -> None:
    with web_peer(lambda _: Answer(200)) as peer:
        for _ in range(2):
            to(peer.url, task=True).deliver([file], lambda _: True)
        first, second = (one.body for one in peer.asked)
    assert first == second
    bundle = Bundle.model_validate_json(first)
    report, entry = bundle.entry
    task = entry.resource
    assert isinstance(task, Task)
    assert (task.priority, task.status, task.intent) == ("stat", "requested", "order")
    assert task.focus.reference == report.fullUrl
    assert entry.request.url.startswith("Task?identifier=urn:ietf:rfc3986|urn:oid:")


def test_a_server_is_probed_by_what_it_can_do(file: OutgoingFile) -> None:
    with web_peer(lambda _: Answer(200, b"{}")) as peer:
        to(peer.url).probe()
        assert [one.path for one in peer.asked] == ["/metadata"]
        (held,) = to(peer.url).deliver([file], lambda _: False)
    assert held.answer is DeliveryAnswer.WITHHELD
    file.path.unlink()
    (lost,) = to("http://127.0.0.1:1").deliver([file], lambda _: True)
    assert lost.answer is DeliveryAnswer.NOT_NOW
