"""STOW-RS: instances come by HTTP and go the way of a C-STORE (`pacs_ai.dicomweb.stow`)."""

import uuid

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from pacs_ai.config.sections import MAX_TITLE
from pacs_ai.dicom.native_xml import native_xml
from pacs_ai.dicomweb.accept import KINDS, XML, require
from pacs_ai.dicomweb.errors import RequestRefused
from pacs_ai.dicomweb.links import ROOT, InstanceLinks
from pacs_ai.dicomweb.stow import StoreRequest
from pacs_ai.domain import Role
from pacs_ai.flow.storage_scp import StorageScp
from pacs_ai.flow.traffic import TrafficMeter
from pacs_ai.net.scp.handlers import AssociationInfo
from pacs_ai.uids import storable_uid
from pacs_ai.web.problems import problem
from pacs_ai.web.routes import base_of, caller_of, node_of, route, spooling_node_of

_PIECE = 1 << 20
"""Bytes that are handed over at once."""

_NAME = "DICOMWEB"
"""Calling AE title of who sends without a token."""

_METER = "web"

_UNSUPPORTED = 415


async def _store(request: Request) -> Response:
    """Take the body as it comes; disk and database are waited for in another thread."""
    try:
        kind = require(request.headers.get("accept", ""), *KINDS)
        work = await run_in_threadpool(_begin, request)
    except RequestRefused as error:
        return _refused(error)
    try:
        kept = bytearray()
        async for piece in request.stream():
            kept += piece
            if len(kept) >= _PIECE:
                await run_in_threadpool(work.feed, bytes(kept))
                kept.clear()
        await run_in_threadpool(work.feed, bytes(kept))
        links = InstanceLinks(node_of(request).database, base_of(request))
        status, answer = await run_in_threadpool(work.finish, links.of)
    except RequestRefused as error:
        await run_in_threadpool(work.abandon)
        return _refused(error)
    except ClientDisconnect:
        await run_in_threadpool(work.abandon)
        return Response(status_code=400)
    except BaseException:
        work.abandon()
        raise
    if kind == XML:
        return Response(native_xml(answer), status, media_type=XML)
    return JSONResponse(answer, status, media_type=kind)


def _begin(request: Request) -> StoreRequest:
    node, state = spooling_node_of(request), request.app.state
    if not hasattr(state, "store_handlers"):
        meter = TrafficMeter(node.spool, _METER)
        meter.begin()
        state.store_handlers = StorageScp(node, state.arrivals, meter)
    study = request.path_params.get("study", "")
    if study and not storable_uid(study):
        raise RequestRefused("the path has no valid Study Instance UID")
    name = caller_of(request).name
    client = request.client
    association = AssociationInfo(
        id=str(uuid.uuid4()),
        calling_aet=_NAME if caller_of(request).local else name[:MAX_TITLE],
        called_aet=node.config.node.ae_title,
        peer_ip="" if client is None else client.host,
        started=node.clock.monotonic(),
    )
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise RequestRefused("a body with a Content-Encoding is not taken", _UNSUPPORTED)
    kind = request.headers.get("content-type", "")
    return StoreRequest(
        state.store_handlers, association, kind, study, node.config.limits.max_instance
    )


def _refused(error: RequestRefused) -> Response:
    return problem(error.status, error.code, error.message)


ROUTES = tuple(
    route(path, _store, role=Role.OPERATOR, methods=["POST"], from_this_machine=True)
    for path in (f"{ROOT}/studies", f"{ROOT}/studies/{{study}}")
)
