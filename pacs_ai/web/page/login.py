"""Log in with a token, and log out."""

from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from pacs_ai.flow.audit import note
from pacs_ai.flow.operate.tokens import token_owner
from pacs_ai.web.access import Caller, acting, address_of, is_proxy
from pacs_ai.web.attempts import Attempts
from pacs_ai.web.errors import AccessError, LoginNeeded, LoginThrottled
from pacs_ai.web.origin import require_own_page
from pacs_ai.web.page.forms import read_form
from pacs_ai.web.page.render import page
from pacs_ai.web.routes import node_of
from pacs_ai.web.sessions import begin_session, end_session


def login_address(request: Request) -> str:
    """Return where to log in, and to come back from."""
    return f"/login?next={quote(request.url.path if request.method == 'GET' else '/')}"


def show_login(request: Request) -> Response:
    """Ask for a token."""
    return page(
        request, "login.html", next=_own_path(request.query_params.get("next", "")), wrong=""
    )


async def log_in(request: Request) -> Response:
    """Begin a session, if the token is valid."""
    require_own_page(request, in_browser=True)
    form = await read_form(request)
    return await run_in_threadpool(_answer, request, form)


def log_out(request: Request) -> Response:
    """End the session."""
    require_own_page(request, in_browser=True)
    answer = RedirectResponse("/login", 303)
    end_session(answer)
    return answer


def _answer(request: Request, form: dict[str, str]) -> Response:
    node, address = node_of(request), address_of(request)
    attempts: Attempts = request.app.state.login_attempts
    target = _own_path(form.get("next", ""))
    try:
        attempts.require_few(address)
    except LoginThrottled as error:
        return _again(request, target, error)
    owner = token_owner(node, form.get("token", "").strip())
    if owner is None:
        attempts.note_failure(address)
        note.logged_in(acting(node, None, request), "page", refused=LoginNeeded.code)
        return _again(request, target, None)
    answer = RedirectResponse(target, 303)
    begin_session(node, answer, owner, secure=_by_tls(request))
    note.logged_in(acting(node, Caller(owner.name, owner.role), request), "page")
    return answer


def _again(request: Request, target: str, error: AccessError | None) -> Response:
    wrong = "This token is not valid." if error is None else f"{error.message.capitalize()}."
    return page(
        request, "login.html", 401 if error is None else error.status, next=target, wrong=wrong
    )


def _by_tls(request: Request) -> bool:
    if is_proxy(node_of(request).config.web.trusted_proxy, request):
        return request.headers.get("x-forwarded-proto", request.url.scheme) == "https"
    return request.url.scheme == "https"


def _own_path(path: str) -> str:
    """Return a path of ours: never an address of another site."""
    return path if path.startswith("/") and path[1:2] not in ("/", "\\") else "/"
