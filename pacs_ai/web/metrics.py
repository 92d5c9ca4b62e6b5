"""``/metrics``: what Prometheus reads."""

from starlette.requests import Request
from starlette.responses import Response

from pacs_ai.domain import Role
from pacs_ai.metrics.exposition import Metrics
from pacs_ai.web.routes import route, spooling_node_of


def _metrics(request: Request) -> Response:
    state = request.app.state
    if not hasattr(state, "metrics"):
        state.metrics = Metrics(spooling_node_of(request))
    text, media_type = state.metrics.text(request.headers.get("accept", ""))
    return Response(text, media_type=media_type)


ROUTES = (route("/metrics", _metrics, role=Role.VIEWER),)
