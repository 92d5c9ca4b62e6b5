"""QIDO-RS and WADO-RS over HTTP; `pacs_ai.dicomweb` finds and reads."""

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from pacs_ai.dicom.native_xml import native_xml
from pacs_ai.dicomweb.accept import KINDS, XML, accepted, require
from pacs_ai.dicomweb.errors import RequestRefused
from pacs_ai.dicomweb.links import ROOT
from pacs_ai.dicomweb.matching import Query
from pacs_ai.dicomweb.retrieve import MEDIA_TYPES, OCTETS, Retrieval
from pacs_ai.dicomweb.search import Search
from pacs_ai.dicomweb.view import FORMATS, View
from pacs_ai.domain import Role
from pacs_ai.flow.audit import note
from pacs_ai.flow.incoming_parts import DICOM
from pacs_ai.net.http.multipart import written
from pacs_ai.store.held import Held
from pacs_ai.web.problems import problem
from pacs_ai.web.routes import base_of, node_of, route

_STUDY = f"{ROOT}/studies/{{study}}"
_SERIES = f"{_STUDY}/series/{{series}}"
_INSTANCE = f"{_SERIES}/instances/{{instance}}"
_FRAMES = re.compile(r"[1-9][0-9]{0,6}(,[1-9][0-9]{0,6})*")
_THUMBNAIL = (128, 128)
_NO_CONTENT = 204

Part = tuple[str, Iterable[bytes]]
Answer = Callable[[Request], Response]


def _search(level: str) -> Answer:
    def search(request: Request) -> Response:
        kind = require(_accept(request), *KINDS)
        state = request.app.state
        if not hasattr(state, "search"):
            state.search = Search(state.node)
        query = Query.of(request.query_params.multi_items())
        found = getattr(state.search, level)(query, base_of(request), **request.path_params)
        names = ", ".join(sorted(query.wanted)) or "nothing"
        note.asked(node_of(request), f"DICOMweb search for {level} by {names}")
        warnings = query.warnings(len(found))
        if not found:
            return Response(status_code=_NO_CONTENT, headers=warnings)
        return _described(found, kind, warnings)

    return search


def _instances(request: Request) -> Response:
    require(_accept(request), DICOM)
    syntaxes = {syntax for kind, syntax in accepted(_accept(request)) if kind in ("", DICOM)}
    retrieval, found = _found(request, "files retrieved by DICOMweb", sent=True)
    files = retrieval.files(found, syntaxes)
    if _single(request) and len(found) == 1:
        return StreamingResponse(files[0], media_type=DICOM)
    return _multipart(DICOM, ((DICOM, file) for file in files))


def _single(request: Request) -> bool:
    """Whether a client asks for one instance without parts around it."""
    return _accept(request).strip().lower().startswith(DICOM)


def _metadata(request: Request) -> Response:
    kind = require(_accept(request), *KINDS)
    retrieval, found = _found(request)
    return _described(list(retrieval.metadata(found)), kind)


def _bulk_data(request: Request) -> Response:
    require(_accept(request), OCTETS)
    retrieval, [held, *_] = _found(request)
    values = retrieval.bulk_data(held, request.path_params["tag"])
    return _multipart(OCTETS, ((OCTETS, [value]) for value in values))


def _frames(request: Request) -> Response:
    """Send frames as they are stored, or decoded if the client takes only that."""
    wanted = list(accepted(_accept(request)))
    retrieval, [held, *_] = _found(request)
    numbers = _numbers(request)
    decoded = not retrieval.sends_stored(held, wanted)
    parts: list[Part] = []
    for one in retrieval.frames(held, numbers, decoded=decoded):
        kind = MEDIA_TYPES.get(one.transfer_syntax_uid, OCTETS)
        parts.append((f"{kind}; transfer-syntax={one.transfer_syntax_uid}", [one.content]))
    return _multipart(parts[0][0].partition(";")[0], parts)


def _rendered(request: Request) -> Response:
    return _as_picture(request, View.of(request.query_params))


def _thumbnail(request: Request) -> Response:
    view = View.of(request.query_params)
    return _as_picture(request, replace(view, most=view.most or _THUMBNAIL))


def _as_picture(request: Request, view: View) -> Response:
    kind = require(_accept(request), *FORMATS)
    retrieval, [held, *_] = _found(request)
    [frame, *others] = _numbers(request)
    if others:
        raise RequestRefused("a picture is of one frame")
    return Response(retrieval.rendered(held, frame, kind, view), media_type=kind)


def _accept(request: Request) -> str:
    """Return what the client takes; the parameter goes before the header (PS3.18 8.3.3.1)."""
    return request.query_params.get("accept") or request.headers.get("accept", "")


def _described(
    models: Sequence[Mapping[str, Any]], kind: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Send data sets without their large values, as JSON or as XML."""
    if kind == XML:
        return _multipart(XML, ((XML, [native_xml(model)]) for model in models), headers)
    return JSONResponse(models, media_type=kind, headers=headers)


def _found(
    request: Request, how: str = "viewed by DICOMweb", *, sent: bool = False
) -> tuple[Retrieval, list[Held]]:
    """Find what a request is about; that somebody looks is in the ledger."""
    node = node_of(request)
    retrieval = Retrieval(node, base_of(request))
    uids = [request.path_params.get(name, "") for name in ("study", "series", "instance")]
    found = retrieval.find(*uids)
    note.accessed(node, found[0].study_id, how, sent=sent)
    return retrieval, found


def _numbers(request: Request) -> list[int]:
    text = request.path_params.get("frames", "1")
    if not _FRAMES.fullmatch(text):
        raise RequestRefused("frames are numbers from 1, with commas")
    return [int(one) for one in text.split(",")]


def _multipart(
    kind: str, parts: Iterable[Part], headers: Mapping[str, str] | None = None
) -> Response:
    boundary = uuid.uuid4().hex
    media_type = f'multipart/related; type="{kind}"; boundary={boundary}'
    body: Iterator[bytes] = written(parts, boundary)
    return StreamingResponse(body, headers={**(headers or {}), "content-type": media_type})


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
