"""Which host a request is for, and which page in a browser has sent it.

A name server can let any name stand for this machine (DNS rebinding), and any page on the web can
make a browser send a request here. So only names that are known are answered, and what changes
something must come from our own page.
"""

import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from pacs_ai.config.web import Web
from pacs_ai.web.errors import OriginRefused
from pacs_ai.web.problems import problem

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_PAGE = ("same-origin", "none")
"""Values of Sec-Fetch-Site: our page, or a person who typed the address."""


class HostCheck:
    """Refuses requests for another host.

    Parameters
    ----------
    app
        What serves the others.
    web
        The names that are known besides those of this machine.
    """

    def __init__(self, app: ASGIApp, web: Web) -> None:
        self._app = app
        names = (web.host, "localhost", socket.gethostname(), socket.getfqdn(), *web.names)
        self._names = frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "http" and not known_host(Request(scope), self._names):
            refused = OriginRefused("the Host header of this request does not name this node")
            answer = problem(refused.status, refused.code, f"{refused.message}: see web.names")
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)


def known_host(request: Request, names: Collection[str]) -> bool:
    """Whether a request is for an address, or for one of some names."""
    try:
        host = urlsplit(f"//{request.headers.get('host', '')}")
        name = (host.hostname or "").rstrip(".")
        return name in names or bool(ipaddress.ip_address(name))
    except ValueError:
        return False


def require_own_page(request: Request, *, in_browser: bool) -> None:
    """Refuse a request that changes something and comes from another page.

    Parameters
    ----------
    in_browser
        Whether only a browser can have sent it, which says where the request comes from.

    Raises
    ------
    OriginRefused
        If it comes from elsewhere, or a browser does not say from where.
    """
    if request.method in SAFE_METHODS:
        return
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    if origin is not None:
        own = urlsplit(origin).netloc == request.headers.get("host")
    else:
        own = site in _OWN_PAGE or (site is None and not in_browser)
    if not own:
        raise OriginRefused("this request comes from another page: use the page of this node")
