"""The page without a browser: login, buttons, errors for people, and that all is escaped."""

import re
from html import unescape
from urllib.parse import unquote

import pytest

from pacs_ai.domain import DeliveryState, JobId, Role, StudyState
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.tokens import add_token, revoke_token
from pacs_ai.store import overview
from pacs_ai.store.schema import Delivery, Job, Study
from pacs_ai.web.app import make_app
from pacs_ai.web.page import lists
from pacs_ai.web.page.render import VIEWS
from tests.http_client import HttpClient
from tests.unit.store import samples

OWN = {"origin": "http://127.0.0.1:8080", "accept": "text/html"}


@pytest.fixture
def visitor(context: FlowContext) -> HttpClient:
    return HttpClient(make_app(context), headers={"accept": "text/html"})


def logged_in(context: FlowContext, role: Role) -> HttpClient:
    client = HttpClient(make_app(context), headers=OWN)
    token = add_token(context, "anna", role).token
    answer = client.request("POST", "/login", data={"token": token, "next": "/jobs"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs")
    return client


@pytest.mark.usefixtures("job")
def test_without_a_token_everything_is_shown_and_nothing_is_offered(visitor: HttpClient) -> None:
    for path, title in VIEWS:
        answer = visitor.get(path)
        assert answer.status_code == 200, path
        assert f"<h1>{title}</h1>" in answer.text
        assert 'action="/jobs' not in answer.text
        assert 'action="/deliveries' not in answer.text
    assert "Study 1" in visitor.get("/studies/1").text
    refused = visitor.request("POST", "/deliveries/retry", data={"id": "1"})
    assert (refused.status_code, refused.headers["location"]) == (303, "/login?next=/")


@pytest.mark.usefixtures("job")
def test_the_overview_says_what_is_wrong_and_where(
    context: FlowContext, visitor: HttpClient
) -> None:
    assert "to look at" in visitor.get("/").text
    link = re.search(r'<a id="wrong-1" href="([^"]+)"', visitor.get("/").text)
    assert link is not None
    assert "FAILED" in visitor.get(link[1]).text
    with context.write() as transaction:
        for delivery in transaction.query(Delivery):
            delivery.state = DeliveryState.STORED
    assert "Nothing is wrong" in visitor.get("/").text


def test_one_search_finds_a_study_by_all_its_names(
    context: FlowContext, job: JobId, visitor: HttpClient
) -> None:
    with context.write() as transaction:
        study = transaction.get_one(Study, 1)
        study.accession_key, uid = context.accession_key("ACC 7"), study.study_instance_uid
    for wanted in ("ACC 7", uid, "1", job, job[:9], f" {uid} "):
        found = visitor.request("POST", "/search", data={"wanted": wanted})
        assert (found.status_code, found.headers["location"]) == (303, "/studies/1")
    lost = visitor.request("POST", "/search", data={"wanted": "ACC 8"})
    assert (lost.status_code, "ACC 8" in lost.text) == (404, False)
    assert visitor.request("POST", "/search", data={"wanted": "\0"}).status_code == 400


def test_a_list_is_turned_to_older_rows(
    context: FlowContext, visitor: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "_ROWS", 2)
    with context.write() as transaction:
        for number in range(5):
            uids = {"study_instance_uid": f"1.2.{number}", "series_instance_uid": f"1.2.{number}.1"}
            samples.add_instance(transaction, samples.arrival(number, **uids), samples.sender())
    seen = []
    path = "/studies?state=RECEIVING&sender=%3Cb%3E"
    assert "Older" not in visitor.get(path).text
    path = "/studies?state=RECEIVING"
    while path:
        text = visitor.get(path).text
        seen += re.findall(r'<a href="/studies/(\d+)">', text)
        older = re.search(r'href="([^"]+)">Older<', text)
        path = f"/studies{unescape(older[1])}" if older else ""
        assert ("Newer" in text) is (len(seen) > 2)
    assert sorted(seen) == ["1", "2", "3", "4", "5"]
    assert visitor.get("/studies?page=0&state=RECEIVING").status_code == 200


def test_what_renews_a_part_of_the_page_is_not_swapped_for_an_error(context: FlowContext) -> None:
    client = logged_in(context, Role.OPERATOR)
    asks = {"hx-request": "true", "accept": "*/*"}  # as htmx does
    assert client.get("/", **asks).status_code == 200
    lost = client.get("/studies/77/patient", **asks)
    assert (lost.status_code, lost.headers["hx-redirect"]) == (404, "/studies/77/patient")
    assert "No study 77" in client.get("/studies/77/patient").text
    revoke_token(context, "anna")
    ended = client.get("/", **asks)
    assert (ended.status_code, ended.headers["hx-redirect"], ended.text) == (401, "/", "")
    assert client.get("/").headers["location"] == "/login?next=/"


def test_buttons_act_in_the_name_of_the_token_and_return(context: FlowContext, job: JobId) -> None:
    client = logged_in(context, Role.OPERATOR)
    assert "Send all failed again" in client.get("/failed").text
    back = {"referer": "http://127.0.0.1:8080/failed?state=x"}
    fields = {"state": "FAILED", "peer": "pacs"}
    answer = client.request("POST", "/deliveries/retry", data=fields, headers=back)
    assert unquote(answer.headers["location"]).startswith("/failed?done=")
    assert "tried again" in client.get(answer.headers["location"]).text
    cancelled = client.request("POST", "/deliveries/cancel", data={"id": "1"})
    assert unquote(cancelled.headers["location"]) == "/?done=delivery 1 is cancelled"
    with context.database.read() as session:
        trail = overview.events(session, "delivery", 1)
        assert [event.actor for event in trail[-2:]] == ["anna", "anna"]
    with context.write() as transaction:
        transaction.get_one(Job, job).state = "FAILED"
    for path, form in (("/jobs/retry", {"id": job}), ("/jobs/cancel", {"id": job[:8]})):
        assert client.request("POST", path, data=form).status_code == 303
    assert client.request("POST", "/studies/1/reroute").status_code == 303
    conflict = client.request("POST", "/jobs/cancel", data={"id": job})
    assert (conflict.status_code, "<h1>Conflict</h1>" in conflict.text) == (409, True)
    assert client.request("POST", "/jobs/cancel", data={}).status_code == 400
    assert client.request("POST", "/deliveries/cancel", data={"id": "x"}).status_code == 400


def test_only_an_admin_says_whose_study_it_is(context: FlowContext, job: JobId) -> None:
    assert job
    with context.write() as transaction:
        transaction.get_one(Study, 1).state = StudyState.CONFLICT
    client = logged_in(context, Role.OPERATOR)
    refused = client.request("POST", "/studies/1/resolve", data={"keep": "first"})
    assert (refused.status_code, "the role admin" in refused.text) == (403, True)


def test_a_wrong_token_is_refused_and_counted(context: FlowContext, visitor: HttpClient) -> None:
    add_token(context, "anna", Role.VIEWER)
    to_login = visitor.get("/jobs")
    assert (to_login.status_code, to_login.headers["location"]) == (303, "/login?next=/jobs")
    answers = [
        visitor.request("POST", "/login", data={"token": str(n)}, headers=OWN) for n in range(12)
    ]
    assert [one.status_code for one in answers] == [401] * 10 + [429] * 2
    assert "not valid" in answers[0].text
    assert "wait for a minute" in answers[-1].text


def test_another_page_logs_nobody_in(visitor: HttpClient) -> None:
    for headers in ({"origin": "http://evil.example"}, {"origin": "null"}, {}):
        assert visitor.request("POST", "/login", data={}, headers=headers).status_code == 403
        assert visitor.request("POST", "/logout", headers=headers).status_code == 403


@pytest.mark.parametrize("target", ["//evil.example", "/\\evil.example", "http://evil.example", ""])
def test_the_way_back_is_on_this_page(context: FlowContext, target: str) -> None:
    client = HttpClient(make_app(context), headers=OWN)
    token = add_token(context, "anna", Role.VIEWER).token
    answer = client.request("POST", "/login", data={"token": token, "next": target})
    assert answer.headers["location"] == "/"
    assert "secure" not in answer.headers["set-cookie"].lower()


def test_a_session_ends_when_one_logs_out_or_the_token_goes(context: FlowContext) -> None:
    client = logged_in(context, Role.VIEWER)
    assert "anna (viewer)" in client.get("/").text
    revoke_token(context, "anna")
    assert "anna" not in client.get("/").text
    client = logged_in(context, Role.VIEWER)
    assert client.request("POST", "/logout").headers["location"] == "/login"
    assert client.get("/").status_code == 303


@pytest.mark.usefixtures("job")
def test_what_peers_send_is_escaped(context: FlowContext, visitor: HttpClient) -> None:
    with context.write() as transaction:
        transaction.get_one(Study, 1).calling_aet = "<script>1"
    for path in ("/", "/studies", "/studies/1"):
        text = visitor.get(path).text
        assert "<script>1" not in text
        assert "&lt;script&gt;1" in text
    shown = visitor.get("/studies?done=Call+this+number&sender=%3Cscript%3E").text
    assert "Call this" not in shown  # only what the page itself says is done
    assert re.findall(r"<script(?! src=\"/static/)| on\w+=| style=", shown) == []


def test_errors_are_pages_for_people_and_problems_for_programs(
    context: FlowContext, visitor: HttpClient
) -> None:
    for path, status in (("/nowhere", 404), ("/studies/99", 404), ("/static/x", 404)):
        answer = visitor.get(path)
        assert answer.status_code == status
        assert "<h1>Not Found</h1>" in answer.text
    assert visitor.get("/api/v1/studies/99").json()["code"] == "STATE"
    assert HttpClient(make_app(context)).get("/studies/99").json()["code"] == "STATE"
