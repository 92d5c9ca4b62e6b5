"""Sessions of browsers: a signed cookie that names a token, and holds no secret of it.

Nothing is kept here: a session survives a restart, is valid at each node of one database, and ends
with its time or with its token.
"""

import hmac
import secrets
import time

from starlette.requests import Request
from starlette.responses import Response

from pacs_ai.flow.context import FlowContext
from pacs_ai.flow.operate.tokens import valid_token
from pacs_ai.logs import keyed_hash
from pacs_ai.store.tokens import TokenRecord

COOKIE = "pacs_ai_session"
_SECONDS = 12 * 3600

_without_secret = secrets.token_bytes()
"""Signs where the installation's secret is missing: sessions end with the process then."""


def begin_session(
    context: FlowContext, response: Response, token: TokenRecord, *, secure: bool
) -> None:
    """Give a browser the cookie that stands for a token.

    Parameters
    ----------
    secure
        Whether the browser came by TLS: it then sends the cookie by TLS only.
    """
    ends = int(time.time()) + _SECONDS
    value = f"{token.id}.{ends}.{_signature(context, token.id, ends)}"
    response.set_cookie(
        COOKIE, value, max_age=_SECONDS, httponly=True, samesite="strict", secure=secure
    )


def end_session(response: Response) -> None:
    """Take the cookie back."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")


def session_token(context: FlowContext, request: Request) -> TokenRecord | None:
    """Return the token of a session; None if there is none, or it has ended."""
    number, _, rest = request.cookies.get(COOKIE, "").partition(".")
    end, _, signature = rest.partition(".")
    if not (number.isdecimal() and end.isdecimal() and len(number + end) < 2 * len(str(2**63))):
        return None
    good = _signature(context, int(number), int(end))
    if not hmac.compare_digest(good.encode(), signature.encode()) or int(end) < time.time():
        return None
    return valid_token(context, int(number))


def _signature(context: FlowContext, token_id: int, ends: int) -> str:
    return keyed_hash(context.secret or _without_secret, f"session|{token_id}|{ends}")
