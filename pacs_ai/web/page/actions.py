"""What the buttons of the page do; each calls the function that the command line calls."""

from collections.abc import Callable
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from pacs_ai.domain import Role
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate import deliveries, jobs, studies
from pacs_ai.flow.operate.find import selection
from pacs_ai.flow.operate.retrying import Retried
from pacs_ai.web.errors import BadRequest
from pacs_ai.web.page import feedback, models, notifications, pulls, withdrawals
from pacs_ai.web.page.forms import field, read_form
from pacs_ai.web.routes import node_of, route

Act = Callable[[FlowContext, dict[str, str]], str]
"""Does it with the fields of the form and of the path; returns a sentence for the person."""


def _button(path: str, act: Act, role: Role = Role.OPERATOR) -> Route:
    """Make the route of a button; afterwards the browser goes back to where it was."""

    async def perform(request: Request) -> Response:
        form = {**await read_form(request), **request.path_params}
        said = await run_in_threadpool(act, node_of(request), form)
        back = urlsplit(request.headers.get("referer", ""))
        target = back.path if back.path.startswith("/") and not back.path.startswith("//") else "/"
        return RedirectResponse(f"{target}?done={quote(said)}", 303)

    return route(path, perform, role=role, methods=["POST"])


def _retry_jobs(node: FlowContext, form: dict[str, str]) -> str:
    if "id" in form:
        return _said(jobs.retry_jobs(node, [form["id"]]), "job")
    wanted = selection(node, state=field(form, "state"))
    return _said(jobs.retry_matching_jobs(node, wanted), "job")


def _cancel_job(node: FlowContext, form: dict[str, str]) -> str:
    return f"job {jobs.cancel_job(node, field(form, 'id'))[:8]} is cancelled"


def _retry_deliveries(node: FlowContext, form: dict[str, str]) -> str:
    if "id" in form:
        return _said(deliveries.retry_deliveries(node, [_number(form)]), "delivery")
    wanted = selection(node, state=field(form, "state"), peer=form.get("peer"))
    return _said(deliveries.retry_matching_deliveries(node, wanted), "delivery")


def _cancel_delivery(node: FlowContext, form: dict[str, str]) -> str:
    (number,) = deliveries.cancel_deliveries(node, [_number(form)])
    return f"delivery {number} is cancelled"


def _close(node: FlowContext, form: dict[str, str]) -> str:
    return f"study {studies.close_study(node, form['study']).id} is closed"


def _reroute(node: FlowContext, form: dict[str, str]) -> str:
    return _through_rules(studies.reroute_study(node, form["study"]))


def _resolve(node: FlowContext, form: dict[str, str]) -> str:
    return _through_rules(studies.resolve_study(node, form["study"], field(form, "keep")))


def _through_rules(made: studies.StudyRevision) -> str:
    return f"revision {made.revision} of study {made.id} goes through the rules"


def _said(done: Retried, what: str) -> str:
    names = {"job": ("job is", "jobs are"), "delivery": ("delivery is", "deliveries are")}[what]
    return f"{done.retried} {names[done.retried != 1]} tried again"


def _number(form: dict[str, str]) -> int:
    text = form["id"]
    if not (text.isascii() and text.isdecimal() and len(text) < len(str(2**63))):
        raise BadRequest("id: is no number")
    return int(text)


ROUTES = (
    _button("/jobs/retry", _retry_jobs),
    _button("/jobs/cancel", _cancel_job),
    _button("/deliveries/retry", _retry_deliveries),
    _button("/deliveries/cancel", _cancel_delivery),
    _button("/pulls", pulls.pull),
    _button("/pulls/cancel", pulls.cancel),
    _button("/notifications/retry", notifications.retry),
    _button("/models/activate", models.activate, Role.ADMIN),
    _button("/models/rollback", models.roll_back, Role.ADMIN),
    _button("/models/disable", models.disable, Role.ADMIN),
    _button("/studies/{study}/close", _close),
    _button("/studies/{study}/reroute", _reroute),
    _button("/studies/{study}/resolve", _resolve, Role.ADMIN),
    _button("/studies/{study}/withdraw", withdrawals.withdraw),
    _button("/studies/{study}/feedback", feedback.give),
)
