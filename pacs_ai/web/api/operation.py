"""One operation of the REST API, and the route that performs it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from pacs_ai.domain import Role
from pacs_ai.flow.context import FlowContext
from pacs_ai.store.records import to_dict
from pacs_ai.web.bodies import read_body
from pacs_ai.web.errors import BadRequest
from pacs_ai.web.routes import node_of, route

PREFIX = "/api/v1"
ARCHIVE = "application/zip"
"""What a file is that an operation gives."""


class Parameters(BaseModel):
    """Parameters of an operation: those in the path, and the query (GET) or the body."""

    model_config = ConfigDict(extra="forbid", frozen=True)


P = TypeVar("P", bound=Parameters)


@dataclass(frozen=True, slots=True)
class Operation:
    """What one path and method do.

    Parameters
    ----------
    method, path
        HTTP method, and the path below ``/api/v1``.
    role
        The least role.
    call
        Does it. Its docstring is the description.
    takes
        The parameters. Those that the path names are in the path, the others in the query of a
        GET, or in a JSON body.
    gives
        Type of what `call` returns: records, or objects that JSON can hold; `Path` for a file,
        which is removed when it has been sent.
    """

    method: str
    path: str
    role: Role
    call: Callable[[FlowContext, Any], object]
    takes: type[Parameters]
    gives: Any

    @property
    def in_path(self) -> list[str]:
        """Names of the parameters in the path."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]

    def route(self) -> Route:
        """Make the route."""

        async def perform(request: Request) -> Response:
            body = b"" if self.method == "GET" else await read_body(request)
            given = self._parameters(request, body)
            answer = await run_in_threadpool(self.call, node_of(request), given)
            if isinstance(answer, Path):
                gone = BackgroundTask(answer.unlink, missing_ok=True)
                return FileResponse(answer, media_type=ARCHIVE, background=gone)
            return json_response(answer)

        return route(f"{PREFIX}{self.path}", perform, role=self.role, methods=[self.method])

    def _parameters(self, request: Request, body: bytes) -> Parameters:
        path: Mapping[str, Any] = request.path_params
        if self.method == "GET":
            names = list(request.query_params)
            values: object = dict(request.query_params)
            if len(set(names)) < len(request.query_params.multi_items()):
                raise BadRequest("a parameter is there twice")
        else:
            values = _from_json(body)
        if not isinstance(values, dict):
            raise BadRequest("the body is no JSON object")
        if path.keys() & values.keys():
            raise BadRequest("a parameter of the path is there a second time")
        given = {**values, **path}
        try:
            if self.method == "GET":  # a query has texts only, also for numbers
                return self.takes.model_validate(given)
            return self.takes.model_validate_json(json.dumps(given), strict=True)
        except ValidationError as error:
            raise BadRequest(_explained(error)) from None


def json_response(answer: object, status: int = 200) -> Response:
    """Make the answer from records; times are ISO 8601 with their zone."""
    if isinstance(answer, list):
        plain: object = [one if isinstance(one, dict) else to_dict(one) for one in answer]
    else:
        plain = answer if isinstance(answer, dict) else to_dict(answer)  # type: ignore[arg-type]
    text = json.dumps(plain, default=_plain, ensure_ascii=False)
    return Response(text, status, media_type="application/json")


def _plain(value: object) -> str:
    assert isinstance(value, datetime)  # noqa: S101 - records hold nothing else that JSON has not
    return value.isoformat()


def _from_json(body: bytes) -> object:
    if not body:
        return {}
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadRequest("the body is no JSON") from None


def _explained(error: ValidationError) -> str:
    """Say what is wrong without the values, which may name a patient."""
    return "; ".join(
        f"{'.'.join(map(str, one['loc'])) or 'parameters'}: {_sentence(one['type'], one['msg'])}"
        for one in error.errors(include_input=False, include_url=False)
    )


def _sentence(kind: str, text: str) -> str:
    """Write a message of pydantic; values that a parameter may have stay as they are."""
    if kind == "string_pattern_mismatch":  # the one pattern that texts have
        return "must not be empty, nor hold control characters"
    return text[:1].lower() + text[1:]
