"""Who looks and acts over HTTP is in the ledger: name, address, outcome; a minute is summed up."""

import json
import zipfile
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
import sqlalchemy as sa

from pacs_ai.clock import ManualClock
from pacs_ai.config.web import TrustedProxy
from pacs_ai.domain import JobId, Role
from pacs_ai.errors import StorageError
from pacs_ai.flow.audit import note
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.audit import list_ledger
from pacs_ai.flow.operate.tokens import add_token
from pacs_ai.flow.recent import Recent
from pacs_ai.store.ledger_listing import LedgerRecord
from pacs_ai.store.schema import Event, LedgerLine
from pacs_ai.store.selection import Filter
from pacs_ai.web.app import make_app
from tests.http_client import HttpClient
from tests.unit.web.test_dicomweb import ROOT, client  # noqa: F401 - a fixture

API = "/api/v1"
ADDRESS = "192.0.2.7"


def somebody(context: FlowContext, role: Role, name: str = "anna") -> HttpClient:
    token = add_token(context, name, role).token
    headers = {"authorization": f"Bearer {token}"}
    return HttpClient(make_app(context), ADDRESS, headers)


def lines(context: FlowContext, event: str) -> list[LedgerRecord]:
    """Lines of an event of the standard, the oldest first."""
    found = list_ledger(context, Filter(limit=1000))
    return [one for one in reversed(found) if one.event == event]


def told(context: FlowContext, event: str) -> list[tuple[str, str, str, str]]:
    return [(one.user, one.address, one.outcome, one.description) for one in lines(context, event)]


def ask(who: HttpClient, path: str, **body: object) -> int:
    return who.request("POST", path, json=body).status_code


@pytest.mark.usefixtures("job")
def test_an_action_has_the_name_and_the_address(context: FlowContext) -> None:
    anna = somebody(context, Role.OPERATOR)
    assert ask(anna, f"{API}/deliveries/retry", peer="pacs") == 200
    retried = lines(context, "DICOM Instances Accessed")[-1]
    assert (retried.user, retried.address, retried.outcome) == ("anna", ADDRESS, "0")


@pytest.mark.usefixtures("job")
def test_a_user_of_a_proxy_has_their_name(context: FlowContext) -> None:
    proxy = TrustedProxy(addresses=[ADDRESS], role=Role.OPERATOR)
    web = context.config.web.model_copy(update={"trusted_proxy": proxy})
    node = replace(context, config=context.config.model_copy(update={"web": web}))
    bob = HttpClient(make_app(node), ADDRESS, {"x-forwarded-user": "bob@example.org"})
    assert ask(bob, f"{API}/deliveries/retry", peer="pacs") == 200
    retried = lines(context, "DICOM Instances Accessed")[-1]
    assert (retried.user, retried.address) == ("proxy:bob@example.org", ADDRESS)


@pytest.mark.usefixtures("job")
def test_refused_actions_leave_a_line(context: FlowContext) -> None:
    viewer, operator = somebody(context, Role.VIEWER, "vera"), somebody(context, Role.OPERATOR)
    assert ask(viewer, f"{API}/jobs/retry") == 403
    assert ask(operator, f"{API}/studies/1/close") == 409
    assert ask(operator, f"{API}/studies/99/close") == 404
    stranger = HttpClient(make_app(context), ADDRESS)
    assert stranger.get(f"{API}/studies").status_code == 401
    assert ask(stranger, f"{API}/jobs/retry") == 401
    wrong = HttpClient(make_app(context), ADDRESS, {"authorization": "Bearer nonsense"})
    assert wrong.get(f"{API}/studies").status_code == 401
    assert [one for one in told(context, "Security Alert") if one[2] != "0"] == [
        ("vera", ADDRESS, "4", "POST /api/v1/jobs/retry: ROLE_TOO_LOW")
    ]
    [closed] = [one for one in lines(context, "DICOM Instances Accessed") if one.outcome == "4"]
    assert (closed.user, closed.study) == ("anna", 1)
    assert closed.description == "POST /api/v1/studies/{study}/close: ILLEGAL_TRANSITION"
    assert told(context, "User Authentication") == [
        ("unknown", ADDRESS, "4", "POST /api/v1/jobs/retry: LOGIN_NEEDED"),
        ("unknown", ADDRESS, "4", "GET /api/v1/studies: LOGIN_NEEDED"),
    ]


def test_logins_leave_a_line(context: FlowContext) -> None:
    token = add_token(context, "anna", Role.VIEWER).token
    browser = HttpClient(make_app(context), ADDRESS, {"sec-fetch-site": "same-origin"})
    for given in ("wrong", token):
        browser.request("POST", "/login", data={"token": given})
    assert told(context, "User Authentication") == [
        ("unknown", ADDRESS, "4", "page: LOGIN_NEEDED"),
        ("anna", ADDRESS, "0", "page"),
    ]


def test_changes_of_tokens_are_security_alerts(context: FlowContext) -> None:
    anna = somebody(context, Role.ADMIN)
    made = anna.request("POST", f"{API}/tokens", json={"name": "eve", "role": "viewer"})
    assert set(made.json()) == {"name", "role", "token"}
    assert anna.request("DELETE", f"{API}/tokens/eve").json() == {"name": "eve"}
    assert anna.request("DELETE", f"{API}/tokens/eve").status_code == 404
    alerts = lines(context, "Security Alert")
    assert [(one.user, one.type, one.description) for one in alerts[-2:]] == [
        ("anna", "token VALID", "eve: viewer"),
        ("anna", "token VALID to REVOKED", "eve"),
    ]
    assert all("110137" in one.message for one in alerts)


@pytest.mark.usefixtures("client")
def test_dicomweb_leaves_lines_that_sum_up(context: FlowContext, clock: ManualClock) -> None:
    """One line for each study and way in a minute, and never what was searched for."""
    somebody(context, Role.VIEWER, "vera")
    anna = somebody(context, Role.OPERATOR)
    frame = f"{ROOT}/1.2.1/series/1.2.1.1/instances/1.2.1.1.1/frames/1"
    for _ in range(30):
        assert anna.get(frame).status_code == 200
    assert anna.get(f"{ROOT}/1.2.2/metadata").status_code == 200
    assert anna.get(f"{ROOT}/1.2.1").status_code == 200
    assert anna.get("/dicom-web/studies?PatientName=Doe*").status_code == 200
    clock.advance(61)
    assert anna.get(frame).status_code == 200
    viewed = [one for one in lines(context, "DICOM Instances Accessed") if one.action == "R"]
    assert [(one.user, one.address, one.study, one.description) for one in viewed] == [
        ("anna", ADDRESS, 1, "viewed by DICOMweb"),
        ("anna", ADDRESS, 2, "viewed by DICOMweb"),
        ("anna", ADDRESS, 1, "viewed by DICOMweb; 29 more before"),
    ]
    [sent] = [one for one in lines(context, "DICOM Instances Transferred") if one.action == "R"]
    assert (sent.user, sent.address, sent.study) == ("anna", ADDRESS, 1)
    assert told(context, "Query") == [
        ("anna", ADDRESS, "0", "DICOMweb search for studies by 00100010")
    ]
    with context.database.read() as session:
        written = "".join(session.scalars(sa.select(LedgerLine.message)))
    assert "Doe" not in written


@pytest.mark.usefixtures("client")
def test_what_is_stored_has_the_sender(context: FlowContext) -> None:
    begun = lines(context, "Begin Transferring DICOM Instances")
    assert [(one.user, one.address, one.study) for one in begun] == [
        ("DICOMWEB", "127.0.0.1", 1),
        ("DICOMWEB", "127.0.0.1", 2),
    ]


def test_the_ledger_is_read_and_checked_over_http(context: FlowContext) -> None:
    anna = somebody(context, Role.ADMIN)
    assert anna.request("POST", f"{API}/audit/verify").json()["problems"] == []
    listed = anna.get(f"{API}/audit?limit=2").json()
    assert [one["event"] for one in listed] == ["Audit Log Used", "Security Alert"]
    assert somebody(context, Role.OPERATOR, "oscar").get(f"{API}/audit").status_code == 403


def test_evidence_is_downloaded(context: FlowContext, job: JobId) -> None:
    anna = somebody(context, Role.OPERATOR)
    answer = anna.get(f"{API}/studies/1/evidence")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        content: dict[str, Any] = json.loads(archive.read("evidence.json"))
    assert [one["id"] for one in content["jobs"]] == [job]
    assert list((context.spool.home / "tmp").iterdir()) == []
    assert anna.get(f"{API}/studies/99/evidence").status_code == 404
    assert lines(context, "Export")[0].user == "anna"


def test_old_occurrences_make_room() -> None:
    recent = Recent()
    assert [recent.left_out(number, 0.0) for number in range(1500)] == [0] * 1500
    assert recent.left_out(1499, 1.0) is None
    assert recent.left_out(0, 1.0) == 0
    assert recent.left_out(1499, 61.0) == 1


def test_what_could_not_be_written_is_told_with_the_next_line(
    context: FlowContext, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is busy while somebody looks: the next minute says how often."""

    def busy(*_: object, **__: object) -> None:
        raise StorageError("busy")

    with monkeypatch.context() as patched:
        patched.setattr(FlowContext, "write", busy)
        note.accessed(context, 1, "shown")
        note.accessed(context, 1, "shown")
    clock.advance(61)
    note.accessed(context, 1, "shown")
    with context.database.read() as session:
        said = session.scalars(sa.select(Event.note).where(Event.entity == "access")).all()
    assert said == ["shown; 2 more before"]
