"""Feedback over HTTP: who may give it, what is kept, what is shown."""

import re
from urllib.parse import unquote

import pytest

from pacs_ai.domain import JobId, Role
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate import feedback
from pacs_ai.flow.operate.tokens import add_token
from pacs_ai.store.schema import Event, Job
from pacs_ai.store.selection import Filter
from pacs_ai.web.app import make_app
from tests.http_client import HttpClient
from tests.unit.flow.feedback_rows import findings_of

API = "/api/v1"
OWN = {"origin": "http://127.0.0.1:8080", "accept": "text/html"}
CLASS = 'Lesion <b>"left"</b>'


@pytest.fixture
def judged(context: FlowContext, job: JobId) -> JobId:
    """A job that has found a lesion; the name of the class has to be escaped."""
    with context.write() as transaction:
        findings = findings_of({CLASS: "present", "Nodule": "undetermined"})
        transaction.get_one(Job, job).findings = findings
    return job


def program(context: FlowContext, role: Role) -> HttpClient:
    token = add_token(context, f"some {role}", role).token
    return HttpClient(make_app(context), headers={"authorization": f"Bearer {token}"})


def reader(context: FlowContext, role: Role) -> HttpClient:
    client = HttpClient(make_app(context), headers=OWN)
    token = add_token(context, "anna", role).token
    client.request("POST", "/login", data={"token": token, "next": "/"})
    return client


def kept(context: FlowContext) -> list[tuple[str, str, dict[str, str]]]:
    found = feedback.list_feedback(context, Filter())
    return [(one.user, one.kind, one.labels) for one in reversed(found)]


def test_programs_give_it_and_read_it(context: FlowContext, judged: JobId):
    client = program(context, Role.OPERATOR)
    given = {"result": judged[:8], "kind": "modify", "labels": {CLASS: "absent"}}
    answer = client.request("POST", f"{API}/feedback", json=given)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["user"], answer.json()["source"]) == ("some operator", "api")
    assert answer.json()["labels"] == {CLASS: "absent", "Nodule": "uncertain"}
    assert client.get(f"{API}/feedback?study=1").json() == [answer.json()]
    whole, lesion = client.get(f"{API}/feedback/concordance").json()
    assert (whole["agreed"], lesion["finding"], lesion["agreed"]) == (0, CLASS, 0)
    labels, said = client.get(f"{API}/feedback/labels").json(), answer.json()["labels"]
    assert labels == {
        "studies": [{"study_instance_uid": "1.2.3", "labels": {"No finding": "uncertain", **said}}],
        "left_out": 0,
    }
    with context.database.read() as session:
        [event] = session.query(Event).filter_by(entity="feedback")
    assert (event.actor, event.user_name) == ("some operator", "some operator")


def test_who_may_only_read_gives_none(context: FlowContext, judged: JobId):
    given = {"result": judged, "kind": "accept"}
    local = HttpClient(make_app(context)).request("POST", f"{API}/feedback", json=given)
    viewer = program(context, Role.VIEWER).request("POST", f"{API}/feedback", json=given)
    page = reader(context, Role.VIEWER)
    assert "/feedback" not in page.get("/studies/1").text
    form = page.request("POST", "/studies/1/feedback", data={"job": judged, "kind": "accept"})
    assert [local.status_code, viewer.status_code, form.status_code] == [401, 403, 403]
    foreign = reader_of_another_page(context, judged)
    assert foreign == 403
    assert kept(context) == []


def reader_of_another_page(context: FlowContext, job: JobId) -> int:
    client = HttpClient(make_app(context), headers=OWN)
    token = add_token(context, "bob", Role.OPERATOR).token
    client.request("POST", "/login", data={"token": token, "next": "/"})
    fields, elsewhere = {"job": job, "kind": "accept"}, {"origin": "http://evil.example"}
    answer = client.request("POST", "/studies/1/feedback", data=fields, headers=elsewhere)
    return answer.status_code


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"result": "9.9.9", "kind": "accept"}, 404),
        ({"kind": "accept"}, 400),
        ({"result": "1", "kind": "praise"}, 400),
        ({"result": "2.25.1", "kind": "modify"}, 409),
        ({"result": "2.25.1", "kind": "accept", "comment": "of Mrs Smith"}, 400),
        ({"result": "2.25.1", "kind": "modify", "labels": {"Lesion": "maybe"}}, 400),
    ],
)
@pytest.mark.usefixtures("judged")
def test_what_cannot_be_kept_is_refused(
    context: FlowContext, given: dict[str, object], status: int
):
    answer = program(context, Role.OPERATOR).request("POST", f"{API}/feedback", json=given)
    assert (answer.status_code, "Smith" in answer.text) == (status, False)
    assert kept(context) == []


def test_people_press_a_button(context: FlowContext, judged: JobId):
    client = reader(context, Role.OPERATOR)
    shown = client.get("/studies/1").text
    names = re.findall(r'<select id="label-1-\d" name="([^"]*)"', shown)
    assert names == ["label Lesion &lt;b&gt;&#34;left&#34;&lt;/b&gt;", "label Nodule"]
    fields = {"job": judged, f"label {CLASS}": "", "label Nodule": ""}
    back = {"referer": "http://127.0.0.1:8080/studies/1"}
    for kind, nodule in (("accept", ""), ("modify", "absent"), ("reject", "")):
        pressed = {**fields, "kind": kind, "label Nodule": nodule}
        answer = client.request("POST", "/studies/1/feedback", data=pressed, headers=back)
        place = unquote(answer.headers["location"])
        assert place == f"/studies/1?done=your feedback ({kind}) is kept"
        assert f"your feedback ({kind}) is kept" in client.get(answer.headers["location"]).text
    assert kept(context) == [
        ("anna", "accept", {CLASS: "present", "Nodule": "uncertain"}),
        ("anna", "modify", {CLASS: "present", "Nodule": "absent"}),
        ("anna", "reject", {}),
    ]
    assert "modify (replaced)" in client.get("/studies/1").text
    assert "0 of 1" in client.get("/models").text


@pytest.mark.parametrize("fields", [{"kind": "accept"}, {"kind": "x"}, {"label Nodule": "x"}])
def test_a_form_that_says_nothing_is_refused(
    context: FlowContext, judged: JobId, fields: dict[str, str]
):
    given = {"job": "" if fields == {"kind": "accept"} else judged, "kind": "accept", **fields}
    answer = reader(context, Role.OPERATOR).request("POST", "/studies/1/feedback", data=given)
    assert answer.status_code == 400
    assert kept(context) == []
