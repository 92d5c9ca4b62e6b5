"""How a part of the interface declares its routes, and what its functions get."""

import dataclasses
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pacs_ai.domain import Role
from pacs_ai.errors import StateError
from pacs_ai.flow.context import FlowContext
from pacs_ai.node.wiring import node_name
from pacs_ai.store.spool import Spool
from pacs_ai.web.access import Caller, acting, authorise, is_loopback, is_proxy
from pacs_ai.web.errors import AccessError
from pacs_ai.web.refusals import note_refusal

Plain = Callable[[Request], Response]
Endpoint = Plain | Callable[[Request], Awaitable[Response]]


def route(
    path: str,
    endpoint: Endpoint,
    *,
    role: Role | None,
    methods: Sequence[str] = ("GET",),
    from_this_machine: bool = False,
) -> Route:
    """Make a route that only those use who may.

    Parameters
    ----------
    path
        As Starlette has it: ``/studies/{study}``.
    endpoint
        Makes the answer. A plain function runs in one of a few threads, and may use the database
        and files; a coroutine must not block.
    role
        The least role; None lets in everybody.
    methods
        HTTP methods.
    from_this_machine
        Also lets in a program on this machine, as long as no token has been made, whatever the
        role. Without it such a program may read only.
    """

    async def answer(request: Request) -> Response:
        if role is not None:
            request.state.caller = await run_in_threadpool(
                authorise, request, role, from_this_machine=from_this_machine
            )
        if inspect.iscoroutinefunction(endpoint):
            made: Response = await endpoint(request)
            return made
        return await run_in_threadpool(cast("Plain", endpoint), request)

    async def checked(request: Request) -> Response:
        try:
            return await answer(request)
        except (AccessError, StateError) as error:
            await run_in_threadpool(note_refusal, request, path, error)
            raise

    return Route(path, checked, methods=list(methods))


def caller_of(request: Request) -> Caller:
    """Return who asks; only for routes with a role."""
    caller: Caller = request.state.caller
    return caller


def spooling_node_of(request: Request) -> FlowContext:
    """Return the node with its own folder of the spool, for what is kept beyond one request."""
    node: FlowContext = request.app.state.node
    return spooling(node)


def spooling(node: FlowContext) -> FlowContext:
    """Return the node with its own folder of the spool."""
    if node.spool.node:
        return node
    return dataclasses.replace(node, spool=Spool(node.spool.root, node_name()))


def node_of(request: Request) -> FlowContext:
    """Return the node; what is changed through it is changed in the name of who asks."""
    node: FlowContext = request.app.state.node
    caller: Caller | None = getattr(request.state, "caller", None)
    return node if caller is None else acting(node, caller, request)


def base_of(request: Request) -> str:
    """Return the URL by which a client reaches the server, without a "/" at its end.

    A trusted proxy that ends TLS says so. A client that names this machine without the port, as
    dicomweb-client does, gets the port.
    """
    url, proxy = request.base_url, node_of(request).config.web.trusted_proxy
    server = request.scope.get("server")
    if request.headers.get("x-forwarded-proto") == "https" and is_proxy(proxy, request):
        url = url.replace(scheme="https")
    elif url.port is None and server and is_loopback(url.hostname or ""):
        url = url.replace(port=server[1])
    return str(url).rstrip("/")
