"""The view of the models, and the operations that decide which version is active."""

from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest

from pacs_ai.config import ModelEntry
from pacs_ai.domain import Role
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.tokens import add_token
from pacs_ai.store import active_models
from pacs_ai.web.app import make_app
from tests.http_client import HttpClient
from tests.unit.flow.analysed import demo, other_version
from tests.unit.web.test_page import logged_in

API = "/api/v1/models"
NEW = "demo@999"


@pytest.fixture
def node(context: FlowContext, tmp_path: Path) -> FlowContext:
    """A node with two versions of its model, one of them in shadow."""
    folder = str(other_version(tmp_path / "new", "999"))
    models = {"demo": ModelEntry(bundle="demo"), NEW: ModelEntry(bundle=folder, shadow=True)}
    return replace(context, config=context.config.model_copy(update={"models": models}))


def version(node: FlowContext) -> str:
    with node.database.read() as session:
        row = active_models.find(session, "demo")
    return "" if row is None else f"{row.version} {row.state}"


def test_buttons_change_what_is_active(node: FlowContext) -> None:
    client = logged_in(node, Role.ADMIN)
    assert "in shadow" in client.get("/models").text
    old = demo().identity.version
    for path, model, said in (
        ("/models/activate", NEW, "999 is active"),
        ("/models/rollback", "demo", f"{old} is active"),
        ("/models/disable", "demo", f"{old} is disabled"),
    ):
        answer = client.request("POST", path, data={"model": model})
        target = unquote(answer.headers["location"])
        assert target == f"/?done=model demo: version {said}"
        assert said in client.get(answer.headers["location"]).text
    shown = client.get("/models").text
    assert "disabled" in shown
    assert f"Activate demo@{old}" in shown
    assert client.request("POST", "/models/activate", data={}).status_code == 400
    assert client.request("POST", "/models/activate", data={"model": "x"}).status_code == 404


def test_only_an_admin_decides(node: FlowContext) -> None:
    client = logged_in(node, Role.OPERATOR)
    refused = client.request("POST", "/models/activate", data={"model": NEW})
    assert (refused.status_code, version(node)) == (403, "")


def test_programs_do_the_same(node: FlowContext) -> None:
    token = add_token(node, "anna", Role.ADMIN).token
    client = HttpClient(make_app(node), headers={"authorization": f"Bearer {token}"})
    made = client.request("POST", f"{API}/demo/activate", json={"version": "999"}).json()
    assert (made["version"], made["state"], made["set_by"]) == ("999", "ACTIVE", "anna")
    listed = {one["name"]: one for one in client.get(API).json()}
    assert (listed["demo"]["active"], listed[NEW]["active"]) == (False, True)
    assert client.request("POST", f"{API}/demo/rollback", json={}).json()["earlier"] == "999"
    assert client.request("POST", f"{API}/demo/disable", json={}).json()["state"] == "DISABLED"
    assert client.request("POST", f"{API}/demo/activate", json={}).json()["state"] == "ACTIVE"
    assert client.request("POST", f"{API}/other/disable", json={}).status_code == 404
