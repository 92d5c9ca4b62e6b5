"""Forms as browsers send them (application/x-www-form-urlencoded)."""

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
