"""The log: what happened to the rows, and what the processes of a node say."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pacs_ai.flow.operate import trail
from pacs_ai.logs import read_tail, tail_path
from pacs_ai.node.wiring import node_name
from pacs_ai.web.page.lists import event_table
from pacs_ai.web.page.render import page
from pacs_ai.web.routes import node_of

_LINES_OF_TRAIL = 200
_LINES = 300


def show_log(request: Request) -> Response:
    """Show what happened last."""
    table = event_table(
        "What happened, the newest first", trail.last_lines(node_of(request), _LINES_OF_TRAIL)
    )
    return page(request, "log.html", table=table)


def show_lines(request: Request) -> Response:
    """Show the last lines that the processes of a node have written."""
    spool = node_of(request).spool
    nodes = spool.nodes()
    name = request.query_params.get("node", node_name())
    if name not in (*nodes, node_name()):
        raise HTTPException(404)
    return page(
        request,
        "lines.html",
        nodes=nodes,
        name=name,
        lines=read_tail(tail_path(spool.root / name), _LINES),
        following="follow" in request.query_params,
    )
