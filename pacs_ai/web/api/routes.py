"""The routes of the REST API."""

import functools
import json
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pacs_ai.web.api.openapi import document
from pacs_ai.web.api.operation import PREFIX, Operation
from pacs_ai.web.api.operations import OPERATIONS
from pacs_ai.web.routes import route


def _openapi(_request: Request) -> Response:
    return Response(_text(), media_type="application/json")


@functools.cache
def _text() -> str:
    return json.dumps(document(OPERATIONS))


def _of_path(operations: Sequence[Operation]) -> Route:
    """Make one route of the operations of a path: the answer 405 then names all its methods."""
    endpoints = {one.method: one.route().endpoint for one in operations}

    async def perform(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        answer: Response = await endpoints[method](request)
        return answer

    return Route(PREFIX + operations[0].path, perform, methods=list(endpoints))


_PATHS = dict.fromkeys(one.path for one in OPERATIONS)

ROUTES = (
    route(f"{PREFIX}/openapi.json", _openapi, role=None),
    *(_of_path([one for one in OPERATIONS if one.path == path]) for path in _PATHS),
)
