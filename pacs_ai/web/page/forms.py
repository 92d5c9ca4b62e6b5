"""Forms as browsers send them (application/x-www-form-urlencoded)."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from pacs_ai.web.bodies import read_body
from pacs_ai.web.errors import BadRequest

_FIELDS = 100


async def read_form(request: Request) -> dict[str, str]:
    """Read the fields of a form; the last one of each name counts.

    Raises
    ------
    BadRequest
        If the body is no form.
    """
    body = await read_body(request, 1 << 16)
    try:
        return dict(
            parse_qsl(body.decode("ascii"), strict_parsing=bool(body), max_num_fields=_FIELDS)
        )
    except ValueError:
        raise BadRequest("the body is no form") from None


def field(form: Mapping[str, str], name: str) -> str:
    """Return a field that must be filled.

    Raises
    ------
    BadRequest
        If it is not.
    """
    if not form.get(name):
        raise BadRequest(f"{name}: is missing")
    return form[name]
