"""The REST API: the records of the command line, and its actions in the name of who asks."""

import json
from pathlib import Path

import pytest

from pacs_ai.domain import JobId, JobState, Role
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate import deliveries, jobs, studies
from pacs_ai.flow.operate.tokens import add_token
from pacs_ai.store import overview
from pacs_ai.store.records import to_dict
from pacs_ai.store.schema import Job, Study
from pacs_ai.store.selection import Filter
from pacs_ai.web.api.operations import OPERATIONS
from pacs_ai.web.app import make_app
from tests.http_client import HttpClient

API = "/api/v1"


@pytest.fixture
def anna(context: FlowContext) -> HttpClient:
    """Somebody who may do everything."""
    token = add_token(context, "anna", Role.ADMIN).token
    return HttpClient(make_app(context), headers={"authorization": f"Bearer {token}"})


def as_json(records: object) -> object:
    return json.loads(json.dumps(records, default=lambda time: time.isoformat()))


def test_records_are_those_of_the_command_line(
    context: FlowContext, job: JobId, anna: HttpClient
) -> None:
    listed = studies.list_studies(context, Filter())
    assert anna.get(f"{API}/studies").json() == as_json([to_dict(one) for one in listed])
    shown = to_dict(studies.show_study(context, "1"))
    assert anna.get(f"{API}/studies/1").json() == as_json(shown)
    assert anna.get(f"{API}/jobs/{job[:8]}").json() == as_json(to_dict(jobs.show_job(context, job)))
    sent = deliveries.list_deliveries(context, Filter())
    assert anna.get(f"{API}/deliveries?state=FAILED").json() == as_json(
        [to_dict(one) for one in sent]
    )
    assert anna.get(f"{API}/deliveries?state=STORED").json() == []
    (destination,) = anna.get(f"{API}/destinations").json()
    assert destination["deliveries"] == {"FAILED": len(sent)}


@pytest.mark.usefixtures("job")
def test_a_study_is_found_by_its_accession_number_which_is_in_no_address(
    context: FlowContext, anna: HttpClient
) -> None:
    with context.write() as transaction:
        transaction.get_one(Study, 1).accession_key = context.accession_key("ACC-77")
    found = anna.request("POST", f"{API}/studies/search", json={"accession": "ACC-77"})
    assert [one["id"] for one in found.json()] == [1]
    missing = anna.request("POST", f"{API}/studies/search", json={"accession": "ACC-78"})
    assert (missing.status_code, "ACC" in missing.text) == (404, False)
    assert anna.get(f"{API}/studies?accession=ACC-77").status_code == 400


def test_times_are_texts_with_a_zone(anna: HttpClient) -> None:
    for time in ("2000-01-01T00:00:00Z", "2100-01-01t00:00:00.5+01:00"):
        asked = {"before": time, "since": None, "ids": None}
        answer = anna.request("POST", f"{API}/deliveries/retry", json=asked)
        assert (answer.status_code, answer.json()) == (200, {"retried": 0, "ids": []})
        assert anna.request("GET", f"{API}/jobs?before={time.replace('+', '%2B')}").json() == []
    for wrong in (0, "0", "20", "2000-01-01T00:00:00"):
        answer = anna.request("POST", f"{API}/deliveries/retry", json={"before": wrong})
        assert answer.status_code == 400


def test_actions_have_the_name_of_the_token(
    context: FlowContext, job: JobId, anna: HttpClient
) -> None:
    again = anna.request("POST", f"{API}/deliveries/retry", json={"peer": "pacs"}).json()
    assert again["retried"] == len(again["ids"]) > 0
    cancelled = anna.request("POST", f"{API}/deliveries/cancel", json={"ids": again["ids"]})
    assert cancelled.json() == {"ids": again["ids"]}
    with context.database.read() as session:
        trail = overview.events(session, "delivery", again["ids"][0])
        assert [event.actor for event in trail[-2:]] == ["anna", "anna"]
    conflict = anna.request("POST", f"{API}/deliveries/cancel", json={"ids": again["ids"]})
    assert (conflict.status_code, conflict.json()["code"]) == (409, "ILLEGAL_TRANSITION")
    with context.write() as transaction:
        transaction.get_one(Job, job).state = JobState.FAILED
    assert anna.request("POST", f"{API}/jobs/retry", json={"ids": [job]}).json()["ids"] == [job]
    assert anna.request("POST", f"{API}/jobs/{job}/cancel").json() == {"id": job}
    assert anna.request("POST", f"{API}/studies/1/close").status_code == 409
    revision = anna.request("POST", f"{API}/studies/1/reroute").json()
    assert revision == {"id": 1, "revision": 2}


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_each_operation_asks_for_its_role(context: FlowContext, role: Role) -> None:
    token = add_token(context, "bob", role).token
    client = HttpClient(make_app(context), headers={"authorization": f"Bearer {token}"})
    for operation in OPERATIONS:
        path = API + operation.path.replace("{", "").replace("}", "")
        refused = client.request(operation.method, path).status_code == 403
        assert refused is not role.includes(operation.role), operation


@pytest.mark.parametrize(
    ("method", "path", "body", "detail"),
    [
        ("GET", "/studies?limit=0", None, "limit"),
        ("GET", "/studies?since=yesterday", None, "since"),
        ("GET", "/studies?since=17", None, "since"),
        ("GET", "/studies?since=0001-01-01T00:00:00%2B14:00", None, "since"),
        ("GET", "/studies?state=routed", None, "state: input should be 'RECEIVING', 'COMPLETE'"),
        ("GET", "/studies?sender=A&sender=B", None, "twice"),
        ("GET", "/jobs?limits=5", None, "limits"),
        ("GET", "/studies/%00", None, "study"),
        ("POST", "/deliveries/cancel", b'{"ids": ["1"]}', "ids"),
        ("POST", "/deliveries/cancel", b'{"ids": [9223372036854775808]}', "ids"),
        ("POST", "/deliveries/cancel", b"{", "JSON"),
        ("POST", "/deliveries/cancel", b"[]", "object"),
        ("POST", "/studies/1/close", b'{"study": "2"}', "second time"),
        ("POST", "/studies/search", b'{"accession": "Doe\\u0000Jane"}', "accession"),
        ("POST", "/studies/search", b'{"accession": ""}', "accession: must not be empty"),
        ("POST", "/jobs/retry", b"[" * 100_000, "JSON"),
        ("POST", "/jobs/retry", b" " * (2 << 20), "bytes"),
    ],
)
def test_what_is_wrong_is_named_without_its_value(
    anna: HttpClient, method: str, path: str, body: bytes | None, detail: str
) -> None:
    answer = anna.request(method, API + path, content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "BAD_REQUEST")
    assert detail in answer.json()["detail"]
    assert "Doe" not in answer.text


@pytest.mark.usefixtures("job")
def test_a_whole_number_may_have_a_point(anna: HttpClient) -> None:
    again = anna.request("POST", f"{API}/deliveries/retry", content=b'{"ids": [1.0]}')
    assert (again.status_code, again.json()["ids"]) == (200, [1])
    half = anna.request("POST", f"{API}/deliveries/retry", content=b'{"ids": [1.5]}')
    assert half.status_code == 400


@pytest.mark.usefixtures("job")
def test_status_names_what_is_wrong(anna: HttpClient) -> None:
    status = anna.get(f"{API}/status").json()
    wrong = [(one["kind"], one["what"], one["state"]) for one in status["wrong"]]
    assert ("deliveries", "deliveries to pacs", "FAILED") in wrong


def test_the_configuration_hides_what_may_name_a_patient(
    context: FlowContext, anna: HttpClient
) -> None:
    rule = context.config.rules[0].model_copy(
        update={"when": {"Modality": "CT", "PatientName": "DOE*"}}
    )
    storage = context.config.storage.model_copy(
        update={"database": "postgresql+psycopg://pacs:secret@db/x"}
    )
    changed = context.config.model_copy(update={"rules": (rule,), "storage": storage})
    object.__setattr__(context, "config", changed)
    for path in ("/config", "/rules"):
        text = anna.get(API + path).text
        assert "DOE" not in text
        assert "secret" not in text
        assert "PatientName" in text


def test_the_document_describes_each_operation_and_field(anna: HttpClient) -> None:
    document = HttpClient(anna.app, "192.0.2.7").get(f"{API}/openapi.json").json()
    described = {(m.upper(), path) for path, one in document["paths"].items() for m in one}
    assert described == {(one.method, one.path) for one in OPERATIONS}
    schemas = document["components"]["schemas"]
    assert "from" in schemas["ChoiceRecord"]["properties"]
    assert "#/$defs" not in json.dumps(document)


def test_the_guide_names_each_path(root: Path) -> None:
    guide = (root / "docs" / "web.md").read_text(encoding="utf-8")
    missing = [one.path for one in OPERATIONS if f"`{one.method} {one.path}`" not in guide]
    assert missing == []
