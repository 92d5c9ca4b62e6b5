"""One request of HTTP, and what its status means."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pacs_ai.errors import PeerError
from pacs_ai.net.http.address import WebAddress
from pacs_ai.net.refusals import LoginRefused, PeerBusy, PeerRefusal

if TYPE_CHECKING:
    from requests import Response

_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504, 507})
_LOGIN = frozenset({401, 403})
_FAILURES = 400


def ask(
    address: WebAddress,
    method: str,
    path: str = "",
    *,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> "Response":
    """Send a request.

    Parameters
    ----------
    path
        What follows the address.

    Raises
    ------
    PeerError
        If there is no answer (see `web_session`), or one that is a refusal (see `refusal`).
    """
    from pacs_ai.net.http.session import (  # noqa: PLC0415 - loads requests, which few nodes need
        in_our_errors,
        web_session,
    )

    with web_session(address) as session, in_our_errors(address):
        url, given = f"{address.url}{path}", dict(headers or {})
        response = session.request(
            method, url, data=content, headers=given, timeout=address.timeout
        )
    if response.status_code >= _FAILURES:
        raise refusal(address.name, response.status_code)
    return response


def refusal(name: str, status: int) -> PeerError:
    """Return what an HTTP status of 400 or more means.

    Parameters
    ----------
    name
        What errors call the peer.
    """
    said = f"{name} answers with HTTP status {status}"
    if status in _LOGIN:
        return LoginRefused(said)
    if status in _BUSY:
        return PeerBusy(said)
    return PeerRefusal(said, status)
