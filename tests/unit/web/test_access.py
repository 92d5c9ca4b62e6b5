"""Who may do what: tokens, sessions, a trusted proxy, this machine."""

import time
from collections.abc import Callable

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from pacs_ai.config.web import TrustedProxy, Web
from pacs_ai.domain import Role
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.tokens import add_token, list_tokens, revoke_token
from pacs_ai.web import attempts, sessions
from pacs_ai.web.access import require_protection
from pacs_ai.web.app import make_app
from pacs_ai.web.routes import node_of, route
from tests.http_client import HttpClient


def name(request: Request) -> Response:
    return PlainTextResponse(node_of(request).owner)


def begin(request: Request) -> Response:
    answer = PlainTextResponse("")
    node = node_of(request)
    sessions.begin_session(node, answer, list_tokens(node)[0], secure=False)
    return answer


ROUTES = (
    route("/read", name, role=Role.VIEWER),
    route("/change", name, role=Role.OPERATOR, methods=["POST"]),
    route("/take", name, role=Role.OPERATOR, methods=["POST"], from_this_machine=True),
    route("/manage", name, role=Role.ADMIN, methods=["POST"]),
    route("/begin", begin, role=None),
)
NEEDS = {"/read": "GET", "/change": "POST", "/manage": "POST"}

Client = Callable[..., HttpClient]


def with_web(context: FlowContext, **web: object) -> FlowContext:
    changed = context.config.model_copy(update={"web": Web(**web)})  # type: ignore[arg-type]
    object.__setattr__(context, "config", changed)
    return context


def bearer(context: FlowContext, role: Role, name: str = "anna") -> dict[str, str]:
    return {"authorization": f"Bearer {add_token(context, name, role).token}"}


@pytest.mark.parametrize("role", Role)
def test_a_token_may_do_what_its_role_allows(context: FlowContext, role: Role) -> None:
    client = HttpClient(make_app(context, ROUTES), "192.0.2.7", bearer(context, role))
    allowed = list(Role).index(role)
    for number, (path, method) in enumerate(NEEDS.items()):
        answer = client.request(method, path)
        if number <= allowed:
            assert (answer.status_code, answer.text) == (200, "anna")
        else:
            assert (answer.status_code, answer.json()["code"]) == (403, "ROLE_TOO_LOW")


def test_with_a_token_in_force_this_machine_needs_one_too(context: FlowContext) -> None:
    client = HttpClient(make_app(context, ROUTES))
    assert client.get("/read").status_code == 200
    add_token(context, "anna", Role.VIEWER)
    assert client.get("/read").status_code == 401
    assert client.request("POST", "/take").status_code == 401
    revoke_token(context, "anna")
    assert client.get("/read").status_code == 401, "the last one is revoked, and nobody let in"
    assert client.request("POST", "/take").status_code == 401


def test_a_revoked_token_and_rubbish_are_refused(context: FlowContext) -> None:
    headers = bearer(context, Role.ADMIN)
    client = HttpClient(make_app(context, ROUTES))
    assert client.get("/read", **headers).status_code == 200
    revoke_token(context, "anna")
    for wrong in (headers["authorization"], "Bearer ", "Basic YTpi", "Bearer \xff", ""):
        assert client.get("/read", authorization=wrong).json()["code"] == "LOGIN_NEEDED"


def test_who_guesses_has_to_wait(context: FlowContext, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = bearer(context, Role.VIEWER)
    app = make_app(context, ROUTES)
    guesser, other = HttpClient(app, "192.0.2.7"), HttpClient(app, "192.0.2.8")
    answers = [guesser.get("/read", authorization=f"Bearer {n}").status_code for n in range(12)]
    assert answers == [401] * 10 + [429] * 2
    assert other.get("/read", authorization="Bearer x").status_code == 401
    assert guesser.get("/read", **headers).status_code == 200
    now = time.monotonic()
    monkeypatch.setattr(attempts.time, "monotonic", lambda: now + 61)
    assert guesser.get("/read", authorization="Bearer x").status_code == 401


def test_a_session_is_a_signed_name_of_a_token(
    context: FlowContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = add_token(context, "anna", Role.OPERATOR).token
    client = HttpClient(make_app(context, ROUTES), "192.0.2.7")
    cookie = client.get("/begin").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert token not in cookie
    assert client.get("/read").text == "anna"
    own = {"origin": "http://127.0.0.1:8080"}
    assert client.request("POST", "/change", headers=own).text == "anna"
    for headers in ({}, {"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
        refused = client.request("POST", "/change", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "ORIGIN_REFUSED")
    value = client.cookies[sessions.COOKIE]
    for wrong in (value[:-1] + "g", "2" + value[1:], "1.9", "1.x.y", "9" * 50 + ".1.a", "é"):
        stranger = HttpClient(client.app, "192.0.2.7")
        assert stranger.get("/read", cookie=f"{sessions.COOKIE}={wrong}").status_code == 401
    now = time.time()
    with monkeypatch.context() as later:
        later.setattr(sessions.time, "time", lambda: now + 12 * 3600 + 2)
        assert client.get("/read").status_code == 401
    revoke_token(context, "anna")
    assert client.get("/read").status_code == 401


PROXY = TrustedProxy(addresses=("10.0.0.0/24",), roles={"pacs": Role.OPERATOR, "heads": Role.ADMIN})


@pytest.mark.parametrize(
    ("address", "groups", "allowed"),
    [
        ("10.0.0.5", "staff, pacs", ["/read", "/change"]),
        ("::ffff:10.0.0.5", "pacs,heads", list(NEEDS)),
        ("10.0.0.5", "staff", []),
        ("10.0.0.5", "", []),
        ("10.0.1.5", "heads", []),
        ("127.0.0.1", "heads", []),
    ],
)
def test_a_trusted_proxy_names_the_user(
    context: FlowContext, address: str, groups: str, allowed: list[str]
) -> None:
    app = make_app(with_web(context, host="10.0.0.1", trusted_proxy=PROXY), ROUTES)
    headers = {"x-forwarded-user": "anna@example.org", "x-forwarded-groups": groups}
    client = HttpClient(app, address, headers)
    answers = {path: client.request(method, path) for path, method in NEEDS.items()}
    assert [path for path, one in answers.items() if one.status_code == 200] == allowed
    assert {answers[path].text for path in allowed} <= {"proxy:anna@example.org"}
    own = client.request("POST", "/change", headers={"origin": "http://evil.example"})
    assert own.status_code in (401, 403)


def test_users_without_a_group_may_have_a_role(context: FlowContext) -> None:
    proxy = PROXY.model_copy(update={"role": Role.VIEWER})
    app = make_app(with_web(context, trusted_proxy=proxy), ROUTES)
    client = HttpClient(app, "10.0.0.5", {"x-forwarded-user": "anna\x07"})
    assert client.get("/read").text == "proxy:anna?"
    assert client.request("POST", "/change").status_code == 403


def test_an_open_address_is_served_with_a_token_or_a_proxy(context: FlowContext) -> None:
    with_web(context, host="10.0.0.1", trusted_proxy=PROXY)
    require_protection(context)
    with_web(context, host="10.0.0.1")
    add_token(context, "anna", Role.VIEWER)
    require_protection(context)
    revoke_token(context, "anna")
    client = HttpClient(make_app(context, ROUTES))  # from this machine, but others reach it too
    assert client.get("/read").status_code == 401
