"""HTML from templates, and the values that every view has."""

import functools
import re
from datetime import datetime, timedelta
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

import pacs_ai
from pacs_ai.domain import Role
from pacs_ai.node.wiring import node_name
from pacs_ai.results.content.wording import bound, percent
from pacs_ai.web.access import Caller

VIEWS = (
    ("/", "Overview"),
    ("/studies", "Studies"),
    ("/jobs", "Jobs"),
    ("/deliveries", "Deliveries"),
    ("/pulls", "Fetched studies"),
    ("/notifications", "Notifications"),
    ("/failed", "Failed work"),
    ("/models", "Models"),
    ("/rules", "Rules"),
    ("/configuration", "Configuration"),
    ("/log", "Log"),
)
"""Path and title of the views, in the order of the menu."""

_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"))

DONE = re.compile(
    r"\d+ (job|delivery|notification) is tried again"
    r"|\d+ (jobs|deliveries|notifications) are tried again"
    r"|(job [0-9a-f]{1,8}|delivery \d+) is cancelled"
    r"|model [\w.@+ -]{1,64}: version [\w.+ -]{1,64} is (active|disabled)"
    r"|\d+ studies (will be fetched|were cancelled)"
    r"|\d+ studies were found, \d+ of them will be fetched"
    r"|the results of study \d+ are withdrawn; see below what becomes of it where"
    r"|study \d+ is closed|revision \d+ of study \d+ goes through the rules"
    r"|your feedback \((accept|modify|reject)\) is kept"
)
"""What a button may say afterwards, in the address: other texts there are not ours."""


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:  # noqa: ANN401 - what the template needs
    """Render a view.

    Parameters
    ----------
    template
        File of the folder ``templates``.
    values
        What the template names.
    """
    done = request.query_params.get("done", "")
    caller: Caller | None = getattr(request.state, "caller", None)
    common = {
        "views": VIEWS,
        "path": request.url.path,
        "caller": caller,
        "may_act": caller is not None and _may_act(caller),
        "may_look": caller is not None and (caller.local or _may_act(caller)),
        "version": pacs_ai.__version__,
        "here": node_name(),
        "node": request.app.state.node.config.node.ae_title,
        "done": done if DONE.fullmatch(done) else "",
    }
    text = _environment().get_template(template).render(**common, **values)
    return HTMLResponse(text, status)


def shown_time(value: datetime | None) -> Markup | str:
    """Write a time for people, in the time zone of the node, and for programs."""
    if value is None:
        return ""
    local = value.astimezone()
    day, clock = local.strftime("%Y-%m-%d"), local.strftime("%H:%M:%S %Z")
    whole = Markup('<time datetime="{}"><span>{}</span> <span>{}</span></time>')
    return whole.format(value.isoformat(), day, clock)


def duration(value: timedelta) -> str:
    """Write how long something lasts, in the largest unit that fits."""
    seconds = max(0, round(value.total_seconds()))
    size, unit = next((one for one in _UNITS if seconds >= one[0]), (1, "second"))
    count = seconds // size
    return f"{count} {unit}{'s' if count != 1 else ''}"


def _may_act(caller: Caller) -> bool:
    return not caller.local and caller.role is not None and caller.role.includes(Role.OPERATOR)


@functools.cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("pacs_ai.web.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"time": shown_time, "duration": duration, "percent": percent, "bound": bound}
    return made
