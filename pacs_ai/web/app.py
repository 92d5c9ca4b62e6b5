"""The application: all routes, and what every request goes through first.

A further part of the interface (metrics, DICOMweb) is a module with a tuple of routes, made with
`pacs_ai.web.routes.route`, and a line in `ROUTES`.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

import anyio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from pacs_ai.flow.arrivals import ArrivalListener, Arrivals
from pacs_ai.flow.context import FlowContext
from pacs_ai.web import dicomweb, health, metrics, store_instances
from pacs_ai.web.api import routes as api
from pacs_ai.web.attempts import Attempts
from pacs_ai.web.curves import Curves
from pacs_ai.web.headers import SafeHeaders
from pacs_ai.web.origin import HostCheck
from pacs_ai.web.page import routes as page
from pacs_ai.web.problems import BugCatcher
from pacs_ai.web.viewer import routes as viewer
from pacs_ai.web.viewer.pictures import RecentFrames

ROUTES: Sequence[BaseRoute] = (
    *health.ROUTES,
    *metrics.ROUTES,
    *store_instances.ROUTES,
    *dicomweb.ROUTES,
    *api.ROUTES,
    *viewer.ROUTES,
    *page.ROUTES,
)
"""Everything that is served, in the order in which paths are compared."""

_PICTURES = 2
"""Pictures that are made at the same time, besides the requests that need none."""

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


def make_app(
    context: FlowContext,
    routes: Sequence[BaseRoute] = ROUTES,
    *,
    lifespan: Lifespan | None = None,
    arrivals: ArrivalListener | None = None,
) -> Starlette:
    """Make the application of a node.

    Parameters
    ----------
    context
        The node that is shown and acted on.
    routes
        What is served.
    lifespan
        What surrounds the running application.
    arrivals
        Is told what arrives by STOW-RS; not given: nobody.
    """
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(SafeHeaders),
            Middleware(BugCatcher),
            Middleware(HostCheck, web=context.config.web),
        ],
        exception_handlers=page.HANDLERS,
        lifespan=lifespan,
    )
    app.state.node = context
    app.state.arrivals = arrivals or Arrivals()
    app.state.login_attempts = Attempts()
    app.state.bearer_attempts = Attempts()
    app.state.curves = Curves()
    app.state.frames = RecentFrames()
    app.state.picture_limiter = anyio.CapacityLimiter(_PICTURES)
    return app
