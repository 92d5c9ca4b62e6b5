"""QIDO-RS and WADO-RS over HTTP; `pacs_ai.dicomweb` finds and reads."""

import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from pacs_ai.dicomweb.accept import accepted, require
from pacs_ai.dicomweb.errors import RequestRefused
from pacs_ai.dicomweb.links import ROOT
from pacs_ai.dicomweb.matching import Query
from pacs_ai.dicomweb.multipart import written
from pacs_ai.dicomweb.retrieve import FORMATS, MEDIA_TYPES, OCTETS, Retrieval, file_pieces
from pacs_ai.dicomweb.search import Search
from pacs_ai.dicomweb.stow import DICOM
from pacs_ai.domain import Role
from pacs_ai.web.problems import problem
from pacs_ai.web.routes import node_of, route

JSON = "application/dicom+json"
_STUDY = f"{ROOT}/studies/{{study}}"
_SERIES = f"{_STUDY}/series/{{series}}"
_INSTANCE = f"{_SERIES}/instances/{{instance}}"
_FRAMES = re.compile(r"[1-9][0-9]{0,6}(,[1-9][0-9]{0,6})*")
_THUMBNAIL = 128
_NO_CONTENT = 204

Part = tuple[str, Iterable[bytes]]
Answer = Callable[[Request], Response]


def _search(level: str) -> Answer:
    def search(request: Request) -> Response:
        require(request.headers.get("accept", ""), JSON, "application/json")
        state = request.app.state
        if not hasattr(state, "search"):
            state.search = Search(node_of(request))
        query = Query.of(request.query_params.multi_items())
        base = str(request.base_url).rstrip("/")
        found = getattr(state.search, level)(query, base, **request.path_params)
        if not found:
            return Response(status_code=_NO_CONTENT)
        return JSONResponse(found, media_type=JSON)

    return search


def _instances(request: Request) -> Response:
    require(request.headers.get("accept", ""), DICOM)
    retrieval, found = _found(request)
    return _multipart(DICOM, ((DICOM, file_pieces(retrieval.path_of(one))) for one in found))


def _metadata(request: Request) -> Response:
    require(request.headers.get("accept", ""), JSON, "application/json")
    retrieval, found = _found(request)
    return JSONResponse(list(retrieval.metadata(found)), media_type=JSON)


def _bulk_data(request: Request) -> Response:
    require(request.headers.get("accept", ""), OCTETS)
    retrieval, [held, *_] = _found(request)
    values = retrieval.bulk_data(held, request.path_params["tag"])
    return _multipart(OCTETS, ((OCTETS, [value]) for value in values))


def _frames(request: Request) -> Response:
    """Send frames as they are stored, unless the client names a form that needs decoding."""
    wanted = list(accepted(request.headers.get("accept", "")))
    retrieval, [held, *_] = _found(request)
    numbers = _numbers(request)
    decoded = not any(
        kind in ("", "image/*", *MEDIA_TYPES.values()) or (kind == OCTETS and not syntax)
        for kind, syntax in wanted
    )
    parts: list[Part] = []
    for one in retrieval.frames(held, numbers, decoded=decoded):
        kind = MEDIA_TYPES.get(one.transfer_syntax_uid, OCTETS)
        parts.append((f"{kind}; transfer-syntax={one.transfer_syntax_uid}", [one.content]))
    return _multipart(parts[0][0].partition(";")[0], parts)


def _rendered(request: Request) -> Response:
    return _as_picture(request, None)


def _thumbnail(request: Request) -> Response:
    return _as_picture(request, _THUMBNAIL)


def _as_picture(request: Request, most: int | None) -> Response:
    kind = require(request.headers.get("accept", ""), *FORMATS)
    retrieval, [held, *_] = _found(request)
    [frame, *_] = _numbers(request)
    return Response(retrieval.rendered(held, frame, kind, most), media_type=kind)


def _found(request: Request) -> tuple[Retrieval, list[Any]]:
    retrieval = Retrieval(node_of(request), str(request.base_url))
    uids = [request.path_params.get(name, "") for name in ("study", "series", "instance")]
    return retrieval, retrieval.find(*uids)


def _numbers(request: Request) -> list[int]:
    text = request.path_params.get("frames", "1")
    if not _FRAMES.fullmatch(text):
        raise RequestRefused("frames are numbers from 1, with commas")
    return [int(one) for one in text.split(",")]


def _multipart(kind: str, parts: Iterable[Part]) -> Response:
    boundary = uuid.uuid4().hex
    media_type = f'multipart/related; type="{kind}"; boundary={boundary}'
    body: Iterator[bytes] = written(parts, boundary)
    return StreamingResponse(body, headers={"content-type": media_type})


def _route(path: str, answer: Answer) -> Route:
    """Make a route; who may store may read, since images name patients."""

    def guarded(request: Request) -> Response:
        try:
            return answer(request)
        except RequestRefused as error:
            return problem(error.status, error.code, error.message)

    return route(path, guarded, role=Role.OPERATOR, from_this_machine=True)


ROUTES = (
    _route(f"{ROOT}/studies", _search("studies")),
    _route(f"{ROOT}/series", _search("series")),
    _route(f"{ROOT}/instances", _search("instances")),
    _route(f"{_STUDY}/series", _search("series")),
    _route(f"{_STUDY}/instances", _search("instances")),
    _route(f"{_SERIES}/instances", _search("instances")),
    *(_route(f"{path}/metadata", _metadata) for path in (_STUDY, _SERIES, _INSTANCE)),
    *(_route(path, _instances) for path in (_STUDY, _SERIES, _INSTANCE)),
    _route(f"{_INSTANCE}/bulkdata/{{tag}}", _bulk_data),
    _route(f"{_INSTANCE}/frames/{{frames}}", _frames),
    _route(f"{_INSTANCE}/rendered", _rendered),
    _route(f"{_INSTANCE}/frames/{{frames}}/rendered", _rendered),
    _route(f"{_INSTANCE}/thumbnail", _thumbnail),
    _route(f"{_INSTANCE}/frames/{{frames}}/thumbnail", _thumbnail),
)
