"""The HTTP server: uvicorn on a socket that is open already, with limits."""

import contextlib
import socket
from collections.abc import AsyncIterator

import anyio.to_thread
import uvicorn
from starlette.applications import Starlette

from pacs_ai.flow.arrivals import ArrivalListener
from pacs_ai.flow.context import FlowContext
from pacs_ai.logs import get_logger
from pacs_ai.web.access import require_protection
from pacs_ai.web.app import make_app
from pacs_ai.web.connection import Connection

_CONNECTIONS = 64
"""At the same time; one more is answered 503."""
_THREADS = 8
"""Requests that are worked on at the same time: the others wait. Each may need a connection to the
database."""
_HEADER_BYTES = 32 << 10
_IDLE_SECONDS = 5
_DRAIN_SECONDS = 2

_log = get_logger()


def serve(
    context: FlowContext, listening: socket.socket, arrivals: ArrivalListener | None = None
) -> None:
    """Serve until SIGTERM or SIGINT; from the main thread only.

    Parameters
    ----------
    context
        The node.
    listening
        The socket, bound; it is closed at the end.
    arrivals
        Is told what arrives by STOW-RS; not given: nobody.

    Raises
    ------
    ConfigError
        If others could reach the page and nothing protects it.
    """
    require_protection(context)
    app = make_app(context, lifespan=_few_threads, arrivals=arrivals)
    settings = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        loop="asyncio",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # `pacs_ai.web.access` decides whom to believe
        server_header=False,
        limit_concurrency=_CONNECTIONS,
        h11_max_incomplete_event_size=_HEADER_BYTES,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    host, port = listening.getsockname()[:2]
    _log.info("page served", address=f"{host}:{port}")
    uvicorn.Server(settings).run(sockets=[listening])


@contextlib.asynccontextmanager
async def _few_threads(_app: Starlette) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    yield
