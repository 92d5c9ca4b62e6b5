"""Errors as HTTP answers: a problem in JSON (RFC 9457) with the project's code."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pacs_ai.errors import DataError, PacsAIError, PeerError, StateError, StorageError
from pacs_ai.flow.retrieve.archives import UnknownArchive
from pacs_ai.logs import get_logger
from pacs_ai.web.errors import AccessError, BadRequest

_log = get_logger()

_STATUSES = (
    (BadRequest, 400),
    (UnknownArchive, 404),
    (DataError, 422),
    (StorageError, 503),
    (PeerError, 502),
)

MEDIA_TYPE = "application/problem+json"


def problem(
    status: int, code: str, detail: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Make the answer to a request that failed.

    Parameters
    ----------
    status
        HTTP status.
    code
        The project's code (docs/operations.md).
    detail
        One sentence; no patient data.
    """
    content = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    return JSONResponse(content, status, headers=headers, media_type=MEDIA_TYPE)


def status_of(error: PacsAIError) -> int:
    """Return the HTTP status for an error of the tree."""
    if isinstance(error, AccessError):
        return error.status
    if isinstance(error, StateError):
        return 404 if error.missing else 409
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


class Failure(NamedTuple):
    """What is said of an error: HTTP status, the project's code, one sentence, headers."""

    status: int
    code: str
    text: str
    headers: Mapping[str, str] | None


def failure_of(error: Exception) -> Failure:
    """Return what is said of an error of the tree, or of one that Starlette raises."""
    if isinstance(error, PacsAIError):
        status = status_of(error)
        return Failure(status, error.code, error.message, _hint(status))
    if isinstance(error, HTTPException):
        return Failure(error.status_code, "USAGE", str(error.detail), error.headers)
    raise error


def answer(_request: Request, error: Exception) -> Response:
    """Make the answer for a program."""
    return problem(*failure_of(error))


def _hint(status: int) -> dict[str, str]:
    """Return what tells the client how to go on."""
    if status == HTTPStatus.UNAUTHORIZED:
        return {"www-authenticate": "Bearer"}
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        return {"retry-after": "60"}
    return {}


class BugCatcher:
    """Answers where code of ours fails unexpectedly, and logs it without a value.

    Parameters
    ----------
    app
        What may fail.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        begun = False

        async def note_begin(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, note_begin)
        except Exception as error:
            # the class alone: messages of libraries quote values
            kind = type(error).__name__
            _log.error("request failed unexpectedly", error=kind)
            if begun:
                raise  # the connection is closed: what was sent is no whole answer
            answer = problem(500, "UNEXPECTED", f"the request failed unexpectedly ({kind})")
            await answer(scope, receive, send)
