"""``/healthz`` and ``/readyz``: whether the process answers, and whether the node can work."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pacs_ai.checks import Severity
from pacs_ai.checks.storage import database, spool
from pacs_ai.web.routes import node_of, route

_CHECKS = (spool, database)


def _alive(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _ready(request: Request) -> Response:
    """Look at what `pacs-ai doctor` looks at, as far as that takes no time."""
    config = node_of(request).config
    found = [finding for check in _CHECKS for finding in check(config)]
    wrong = [one for one in found if one.severity is not Severity.OK]
    content = {
        "status": "not ready" if wrong else "ready",
        "checks": [{"check": one.name, "ok": not one.remedy} for one in found],
    }
    return JSONResponse(content, 503 if wrong else 200)


ROUTES = (
    route("/healthz", _alive, role=None),
    route("/readyz", _ready, role=None),
)
