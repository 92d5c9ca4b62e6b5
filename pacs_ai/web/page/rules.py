"""The rules, and what they say of a file that is dropped on the page.

A file is read in memory, up to its pixels, and nothing of it is kept.
"""

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from pacs_ai.config.sections import MAX_TITLE
from pacs_ai.errors import NotDicom
from pacs_ai.flow.current_rules import up_to_date
from pacs_ai.flow.rule_explain import explain_file
from pacs_ai.web import overview
from pacs_ai.web.bodies import read_body
from pacs_ai.web.errors import BadRequest
from pacs_ai.web.page.render import page
from pacs_ai.web.page.table import Table, row
from pacs_ai.web.routes import node_of

LARGEST = 4 << 20
"""Bytes of a file that are read: what stands before the pixels is far shorter."""


def show_rules(request: Request) -> Response:
    """Show the rules, and where to drop a file."""
    node = up_to_date(node_of(request))
    rows = [
        row(
            one.name,
            one.conditions or "every study",
            one.model,
            ", ".join(one.results),
            ", ".join(one.send_to) or "the spool only",
        )
        for one in overview.rules(node.config)
    ]
    columns = ("Rule", "When", "Model", "Results", "To")
    table = Table("Rules, in the order of the configuration", columns, rows, "There are none.")
    titles = [node.config.node.ae_title, *node.config.node.other_ae_titles]
    return page(request, "rules.html", table=table, titles=titles, largest=LARGEST)


async def try_rules(request: Request) -> Response:
    """Say clause by clause why the file in the body matches each rule, or does not."""
    titles = [request.query_params.get(name, "").strip() for name in ("calling", "called")]
    if any(len(title) > MAX_TITLE for title in titles):
        raise BadRequest(f"an AE title has at most {MAX_TITLE} characters")
    content = await read_body(request, LARGEST)
    limiter = request.app.state.picture_limiter
    return await anyio.to_thread.run_sync(_explained, request, content, titles, limiter=limiter)


def _explained(request: Request, content: bytes, titles: list[str]) -> Response:
    node = up_to_date(node_of(request))
    try:
        found = explain_file(node.config.rules, content, (titles[0], titles[1]))
    except NotDicom as error:
        return page(request, "explained.html", found=None, fault=error.message)
    return page(request, "explained.html", found=found, fault="")
