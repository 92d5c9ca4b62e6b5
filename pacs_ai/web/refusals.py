"""Refused requests in the ledger: who may not, and what the state of a row does not allow."""

from starlette.requests import Request

from pacs_ai.errors import StateError
from pacs_ai.flow.audit import note
from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.find import subject
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
            _note(acting(node, request.state.caller, request), request, what, error)
    elif not isinstance(error, LoginNeeded | LoginThrottled):
        _note(acting(node, _caller(request), request), request, what, error)
    elif changes or "authorization" in request.headers:
        note.logged_in(acting(node, None, request), what, refused=error.code)


def _note(
    context: FlowContext, request: Request, what: str, error: AccessError | StateError
) -> None:
    note.refused(context, what, error.code, study_id=subject(context, request.path_params))


def _caller(request: Request) -> Caller | None:
    try:
        return identify(request)
    except AccessError:
        return None
