"""The routes of the page: views, buttons, login, and the files of the page."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from importlib.resources import files
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from pacs_ai.domain import Role
from pacs_ai.errors import PacsAIError, StateError
from pacs_ai.web import problems
from pacs_ai.web.errors import AccessError, LoginNeeded
from pacs_ai.web.page import (
    actions,
    lists,
    log,
    login,
    models,
    notifications,
    pulls,
    rules,
    views,
)
from pacs_ai.web.page.render import page
from pacs_ai.web.routes import route

_FILES = {
    "page.css": "text/css",
    "viewer.css": "text/css",
    "uplot.min.css": "text/css",
    "htmx.min.js": "text/javascript",
    "uplot.min.js": "text/javascript",
    "curves.js": "text/javascript",
    "rules.js": "text/javascript",
    "viewer.js": "text/javascript",
}
_PROGRAMS = ("/api/", "/dicom-web/", "/metrics", "/healthz", "/readyz")
"""Paths whose errors are for programs."""


def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _FILES:
        raise HTTPException(404)
    content = (files("pacs_ai.web.page") / "static" / name).read_bytes()
    # asked for again after an update, and answered in a millisecond
    return Response(content, media_type=_FILES[name], headers={"cache-control": "max-age=60"})


ROUTES = (
    route("/", views.show_overview, role=Role.VIEWER),
    route("/curves", views.show_curves, role=Role.VIEWER),
    route("/search", views.search, role=Role.VIEWER, methods=["POST"]),
    route("/studies", lists.list_studies, role=Role.VIEWER),
    route("/studies/{study}", views.show_study, role=Role.VIEWER),
    route("/jobs", lists.list_jobs, role=Role.VIEWER),
    route("/deliveries", lists.list_deliveries, role=Role.VIEWER),
    route("/pulls", pulls.show_pulls, role=Role.VIEWER),
    route("/notifications", notifications.show_notifications, role=Role.VIEWER),
    route("/failed", lists.failed_work, role=Role.VIEWER),
    route("/models", models.list_models, role=Role.VIEWER),
    route("/models/{model}", models.show_model, role=Role.VIEWER),
    route("/rules", rules.show_rules, role=Role.VIEWER),
    route("/rules/try", rules.try_rules, role=Role.VIEWER, methods=["POST"]),
    route("/configuration", views.show_configuration, role=Role.VIEWER),
    route("/log", log.show_log, role=Role.VIEWER),
    route("/log/lines", log.show_lines, role=Role.OPERATOR, from_this_machine=True),
    *actions.ROUTES,
    route("/login", login.show_login, role=None),
    route("/login", login.log_in, role=None, methods=["POST"]),
    route("/logout", login.log_out, role=None, methods=["POST"]),
    route("/static/{name}", _static, role=None),
)


def _answer(request: Request, error: Exception) -> Response:
    """Let people read an error as a page, and programs as a problem in JSON."""
    failure = problems.failure_of(error)
    if "hx-request" in request.headers and isinstance(error, AccessError | StateError):
        # htmx shows no error: the browser asks again for the whole page, which says it
        return Response(status_code=failure.status, headers={"HX-Redirect": request.url.path})
    html = "text/html" in request.headers.get("accept", "")
    if not html or request.url.path.startswith(_PROGRAMS):
        return problems.answer(request, error)
    if isinstance(error, LoginNeeded):
        return RedirectResponse(login.login_address(request), 303)
    return page(
        request,
        "message.html",
        failure.status,
        title=HTTPStatus(failure.status).phrase,
        text=f"{failure.text[:1].upper()}{failure.text[1:]}.",
        code=failure.code if isinstance(error, PacsAIError) else "",
    )


HANDLERS: Mapping[Any, Callable[[Request, Exception], Response]] = {
    PacsAIError: _answer,
    HTTPException: _answer,
}
"""For Starlette: kind of error, what makes the answer."""
