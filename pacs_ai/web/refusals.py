"""Refused requests in the ledger: who may not, and what the state of a row does not allow."""

from starlette.requests import Request

from pacs_ai.errors import StateError
from pacs_ai.flow.audit import note
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.find import find_job, find_study
from pacs_ai.web.access import Caller, acting, identify
from pacs_ai.web.errors import AccessError, LoginNeeded, LoginThrottled
from pacs_ai.web.origin import SAFE_METHODS


def note_refusal(request: Request, path: str, error: AccessError | StateError) -> None:
    """Enter a refused request into the ledger.

    A reader of the page who has not logged in yet is no refusal, nor is a row that is not there.

    Parameters
    ----------
    path
        The path of the route, with the names of its parameters.
    error
        Why it was refused.
    """
    node: FlowContext = request.app.state.node
    changes = request.method not in SAFE_METHODS
    what = f"{request.method} {path}"
    if isinstance(error, StateError):
        if changes and not error.missing:
            context = acting(node, request.state.caller, request)
            note.refused(context, what, error.code, study_id=_study(context, request))
    elif not isinstance(error, LoginNeeded | LoginThrottled):
        note.refused(acting(node, _caller(request), request), what, error.code)
    elif changes or "authorization" in request.headers:
        note.logged_in(acting(node, None, request), what, refused=error.code)


def _caller(request: Request) -> Caller | None:
    try:
        return identify(request)
    except AccessError:
        return None


def _study(context: FlowContext, request: Request) -> int | None:
    """Return the row id of the study that a request is about."""
    given = request.path_params
    try:
        if "study" in given:
            return find_study(context, given["study"]).study.id
        return find_job(context, given["job"]).study_id if "job" in given else None
    except StateError:
        return None
