"""What every request goes through: host, origin, headers, roles, errors."""

from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from pacs_ai.config import Config
from pacs_ai.config.web import Web
from pacs_ai.domain import Role
from pacs_ai.errors import ConfigError, IllegalTransition, NoSpace, PeerUnreachable
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.find import missing
from pacs_ai.web.access import is_loopback, require_protection
from pacs_ai.web.app import make_app
from pacs_ai.web.routes import caller_of, node_of, route
from tests.http_client import HttpClient

FAULTS = {
    "missing": (missing("no study 7"), 404, "STATE"),
    "state": (IllegalTransition("study 7 is PURGED"), 409, "ILLEGAL_TRANSITION"),
    "disk": (NoSpace("full"), 503, "NO_SPACE"),
    "peer": (PeerUnreachable("nobody there"), 502, "PEER_UNREACHABLE"),
    "bug": (KeyError("Doe^Jane"), 500, "UNEXPECTED"),
}


def fail(request: Request) -> Response:
    raise FAULTS[request.path_params["fault"]][0]


def name(request: Request) -> Response:
    return PlainTextResponse(f"{caller_of(request).name} {node_of(request).owner}")


async def later(_request: Request) -> Response:
    return PlainTextResponse("later")


ROUTES = (
    route("/fault/{fault}", fail, role=None),
    route("/read", name, role=Role.VIEWER),
    route("/later", later, role=Role.VIEWER),
    route("/change", name, role=Role.OPERATOR, methods=["POST"]),
    route("/take", name, role=Role.OPERATOR, methods=["POST"], from_this_machine=True),
)


@pytest.fixture
def client(context: FlowContext) -> HttpClient:
    return HttpClient(make_app(context, ROUTES))


@pytest.mark.parametrize("fault", FAULTS)
def test_errors_are_problems_with_a_code(client: HttpClient, fault: str) -> None:
    error, status, code = FAULTS[fault]
    answer = client.get(f"/fault/{fault}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["code"], body["type"]) == (status, code, "about:blank")
    if fault != "bug":
        assert body["detail"] == str(error)


def test_a_bug_quotes_no_value(client: HttpClient, capsys: pytest.CaptureFixture[str]) -> None:
    answer = client.get("/fault/bug")
    assert "KeyError" in answer.json()["detail"]
    assert "Doe" not in answer.text + "".join(capsys.readouterr())


def test_unknown_paths_and_methods_are_problems_too(client: HttpClient) -> None:
    assert client.get("/nowhere").json()["code"] == "USAGE"
    assert client.request("PUT", "/read").status_code == 405


@pytest.mark.parametrize("path", ["/read", "/fault/missing", "/nowhere", "/fault/bug"])
def test_every_answer_forbids_scripts_and_sources_from_elsewhere(
    client: HttpClient, path: str
) -> None:
    headers = client.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_this_machine_reads_and_changes_nothing(client: HttpClient) -> None:
    assert client.get("/read").text == "local local"
    assert client.get("/later").text == "later"
    refused = client.request("POST", "/change")
    assert (refused.status_code, refused.json()["code"]) == (401, "LOGIN_NEEDED")
    assert refused.headers["www-authenticate"] == "Bearer"
    assert client.request("POST", "/take").text == "local local"


@pytest.mark.parametrize(
    ("address", "headers"),
    [("192.0.2.7", {}), ("127.0.0.1", {"x-forwarded-for": "192.0.2.7"}), ("::ffff:10.0.0.1", {})],
)
def test_others_read_nothing(context: FlowContext, address: str, headers: dict[str, str]) -> None:
    client = HttpClient(make_app(context, ROUTES), address, headers)
    for method, path in (("GET", "/read"), ("POST", "/change"), ("POST", "/take")):
        assert client.request(method, path).json()["code"] == "LOGIN_NEEDED"


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("127.0.0.1:8080", True),
        ("localhost", True),
        ("[::1]:8080", True),
        ("page.example:8443", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
        ("[", False),
    ],
)
def test_only_known_hosts_are_answered(context: FlowContext, host: str, known: bool) -> None:
    config = Config(web=Web(names=("page.example",)))
    object.__setattr__(context, "config", config)
    answer = HttpClient(make_app(context, ROUTES)).get("/read", host=host)
    assert answer.status_code == (200 if known else 403)
    if not known:
        assert answer.json()["code"] == "ORIGIN_REFUSED"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),  # a program
        ({"origin": "http://127.0.0.1:8080"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
    ],
)
def test_other_pages_change_nothing(
    client: HttpClient, headers: dict[str, str], status: int
) -> None:
    assert client.request("POST", "/take", headers=headers).status_code == status


def test_health_says_what_is_wrong(context: FlowContext) -> None:
    client = HttpClient(make_app(context), "192.0.2.7")
    assert client.get("/healthz").json() == {"status": "ok"}
    lost = context.config.storage.model_copy(update={"spool": context.spool.root / "a" / "file"})
    (context.spool.root / "a").write_text("in the way")
    object.__setattr__(context, "config", context.config.model_copy(update={"storage": lost}))
    answer = HttpClient(make_app(context)).get("/readyz")
    assert answer.status_code == 503
    checks = {one["check"]: one["ok"] for one in answer.json()["checks"]}
    assert checks["spool"] is False


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - compared with
        ("a.example", False),
    ],
)
def test_an_open_address_is_refused_without_a_token(
    context: FlowContext, host: str, local: bool
) -> None:
    assert is_loopback(host) is local
    object.__setattr__(context, "config", Config(web=Web(host=host)))
    if local:
        require_protection(context)
    else:
        with pytest.raises(ConfigError, match="token"):
            require_protection(context)


def test_the_part_in_the_guide_works(context: FlowContext, root: Path) -> None:
    guide = (root / "docs" / "extending.md").read_text(encoding="utf-8")
    code = guide.split("## A part of the web interface")[1].split("```python\n")[1].split("```")[0]
    made: dict[str, Any] = {}
    exec(code, made)  # noqa: S102 - our own page
    answer = HttpClient(make_app(context, made["ROUTES"])).get("/time")
    assert answer.json() == {"now": context.now().isoformat()}
