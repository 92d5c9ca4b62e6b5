"""Bundles as a FHIR server of another maker takes them: checked, found again, put in error."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pacs_ai.demo.npm_package import Unavailable
from pacs_ai.destinations.base import DeliveryAnswer, DeliveryOutcome, OutgoingFile
from pacs_ai.destinations.fhir import FhirDestination
from pacs_ai.domain import ResultKind
from pacs_ai.model.reservations import reservations_of
from pacs_ai.net.http.address import WebAddress
from pacs_ai.results.build import Built, build_refusals, build_results
from pacs_ai.results.common.context import ResultContext
from pacs_ai.results.documents.withdrawn import DocumentWithdrawal, withdraw_document
from tests.conftest import missing
from tests.integration.fhir_server import FhirServer, fhir_server
from tests.unit.results.samples import (
    CONTEXT,
    blob,
    ct_slice,
    grey,
    image,
    refusal,
    save,
    study,
)
from tests.unit.results.test_prior import PRIOR

pytestmark = [pytest.mark.integration, pytest.mark.slow]

KINDS = (ResultKind.FHIR, ResultKind.REPORT, ResultKind.CAPTURE, ResultKind.KEY_OBJECT)
STORED = ("DiagnosticReport", "Observation", "Device", "DocumentReference", "Provenance", "Task")


@pytest.fixture(scope="module")
def running(root: Path, tool: Callable[[str], Path]) -> Iterator[FhirServer]:
    try:
        with fhir_server(tool, root / "build" / "fhir") as server:
            yield server
    except Unavailable as error:
        missing(str(error))


@pytest.fixture
def server(running: FhirServer) -> FhirServer:
    """The server without any resource."""
    running.forget()
    return running


def seen(folder: Path, *lesion: float) -> list[Any]:
    return [
        image(save(ct_slice(n), folder / f"{n}.dcm"), (1 - p, p), blob())
        for n, p in enumerate(lesion, start=1)
    ]


def bundle_of(folder: Path, context: ResultContext = CONTEXT, *lesion: float) -> Built:
    prediction = study(seen(folder, *(lesion or (0.2, 0.9))))
    prediction = replace(prediction, reservations=reservations_of(prediction))
    made = build_results(prediction, KINDS, context, grey)
    return next(one for one in made if one.kind is ResultKind.FHIR)


def post(server: FhirServer, content: bytes, folder: Path, *, task: bool = False) -> None:
    path = folder / "bundle.json"
    path.write_bytes(content)
    [outcome] = deliver(server, path, task=task)
    assert outcome.answer is DeliveryAnswer.STORED, outcome


def deliver(server: FhirServer, path: Path, *, task: bool = False) -> list[DeliveryOutcome]:
    destination = FhirDestination(WebAddress("fhir", server.url, timeout=60), task=task)
    destination.probe()
    return list(destination.deliver([OutgoingFile(path, "1.2.3")], lambda _: True))


def counted(server: FhirServer) -> Counter[str]:
    return Counter({kind: len(server.all_of(kind)) for kind in STORED})


def test_a_bundle_that_is_sent_twice_is_there_once(server: FhirServer, tmp_path: Path) -> None:
    content = bundle_of(tmp_path).encode()
    for _ in range(2):
        post(server, content, tmp_path, task=True)
    expected = Counter(one["resource"]["resourceType"] for one in json.loads(content)["entry"])
    assert counted(server) == expected + Counter(Task=1)
    [report] = server.all_of("DiagnosticReport")
    observations = {f"Observation/{one['id']}" for one in server.all_of("Observation")}
    assert {one["reference"] for one in report["result"]} == observations
    [device] = server.all_of("Device")
    [provenance] = server.all_of("Provenance")
    assert provenance["agent"][0]["who"]["reference"] == f"Device/{device['id']}"
    assert len(provenance["target"]) == expected.total() - 2


def test_two_studies_have_one_device_and_what_is_withdrawn_is_in_error(
    server: FhirServer, tmp_path: Path
) -> None:
    """A later report replaces the first, which is withdrawn; the model is the same."""
    first = bundle_of(tmp_path)
    later = replace(CONTEXT, identity="withdrawn 1", earlier_bundle=first.sop_instance_uid)
    said = DocumentWithdrawal("Withdrawn.", False, "2.25.77", datetime(2026, 3, 1, tzinfo=UTC))
    post(server, first.encode(), tmp_path)
    post(server, withdraw_document("fhir", first.encode(), said), tmp_path)
    post(server, bundle_of(tmp_path, later).encode(), tmp_path)
    reports = {one["identifier"][1]["value"]: one for one in server.all_of("DiagnosticReport")}
    old = reports.pop(f"urn:oid:{first.sop_instance_uid}")
    [new] = reports.values()
    assert (old["status"], new["status"]) == ("entered-in-error", "partial")
    [replaced] = new["extension"]
    assert replaced["valueReference"]["identifier"] in old["identifier"]
    statuses = Counter(one["status"] for one in server.all_of("Observation"))
    assert statuses["entered-in-error"] == statuses["preliminary"] > 0
    files = Counter(one["status"] for one in server.all_of("DocumentReference"))
    assert files["entered-in-error"] == files["current"] > 0
    assert len(server.all_of("Device")) == 1


@pytest.mark.parametrize("what", ["negative", "compared", "refused", "named"])
def test_no_form_of_a_bundle_is_refused(what: str, server: FhirServer, tmp_path: Path) -> None:
    if what == "refused":
        [made] = build_refusals(refusal(seen(tmp_path, 0.9)), [ResultKind.FHIR], CONTEXT)
    elif what == "negative":
        made = bundle_of(tmp_path, CONTEXT, 0.1)
    elif what == "named":
        made = bundle_of(tmp_path, replace(CONTEXT, name_patient=True))
    else:
        made = bundle_of(tmp_path, replace(CONTEXT, prior=PRIOR))
    post(server, made.encode(), tmp_path)
    assert counted(server)["DiagnosticReport"] == 1


def test_the_server_is_not_easily_pleased(server: FhirServer, tmp_path: Path) -> None:
    content = json.loads(bundle_of(tmp_path).encode())
    del content["entry"][1]["resource"]["status"]
    content["entry"][0]["resource"]["conclusionCode"] = "lesion"
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(content))
    [outcome] = deliver(server, path)
    assert outcome.answer is DeliveryAnswer.REFUSED
    assert server.all_of("Observation") == []
