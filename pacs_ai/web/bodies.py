"""Bodies of requests, with limits on size and time."""

import anyio
from starlette.requests import ClientDisconnect, Request

from pacs_ai.web.errors import BadRequest

_BYTES = 1 << 20
_SECONDS = 10.0


async def read_body(request: Request, limit: int = _BYTES) -> bytes:
    """Read a small body into memory.

    Raises
    ------
    BadRequest
        If it is larger than `limit` bytes, or does not come in time.
    """
    body = bytearray()
    try:
        with anyio.fail_after(_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > limit:
                    raise BadRequest(f"the body has more than {limit} bytes")
    except (TimeoutError, ClientDisconnect):
        raise BadRequest("the body did not arrive in time") from None
    return bytes(body)
