"""Results are taken back by the REST API and on the page, by those who may."""

import pytest

from pacs_ai.domain import JobId, Role
from pacs_ai.flow.context import FlowContext
from tests.unit.web.test_page import logged_in

REASON = {"reason": "patient-safety"}


@pytest.mark.usefixtures("job")
def test_an_operator_takes_results_back_on_the_page(context: FlowContext) -> None:
    client = logged_in(context, Role.OPERATOR)
    assert 'action="/studies/1/withdraw"' in client.get("/studies/1").text
    answer = client.request("POST", "/studies/1/withdraw", data=REASON)
    assert (answer.status_code, "withdrawn" in answer.headers["location"]) == (303, True)
    said = client.get(answer.headers["location"]).text
    assert "the results of study 1 are withdrawn" in said
    shown = client.get("/studies/1").text
    assert "<td" in shown
    assert "patient safety" in shown
    assert "never sent" in shown
    assert client.request("POST", "/studies/1/withdraw", data={"reason": "x"}).status_code == 400


@pytest.mark.usefixtures("job")
def test_a_viewer_is_offered_nothing(context: FlowContext) -> None:
    client = logged_in(context, Role.VIEWER)
    assert "/withdraw" not in client.get("/studies/1").text
    assert client.request("POST", "/studies/1/withdraw", data=REASON).status_code in (303, 403)
    assert client.get("/api/v1/studies/1/withdrawals").json() == []


def test_the_api_does_the_same(context: FlowContext, job: JobId) -> None:
    assert job
    client = logged_in(context, Role.OPERATOR)
    done = client.request("POST", "/api/v1/studies/1/withdraw", json=REASON)
    assert done.status_code == 200, done.text
    assert done.json()["reason"] == "patient-safety"
    assert done.json()["user"] == "anna"
    listed = client.get("/api/v1/studies/1/withdrawals").json()
    assert listed == [done.json()]
    assert client.request("POST", "/api/v1/studies/1/withdraw", json={}).status_code == 400
